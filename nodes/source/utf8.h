#pragma once

#include <cstddef>
#include <string_view>

namespace sluice {

// The offset of the first byte that is not UTF-8 (RFC 3629: no overlong forms, no surrogates,
// nothing above U+10FFFF); npos when all is.
std::size_t find_invalid_utf8(std::string_view text);

}  // namespace sluice
