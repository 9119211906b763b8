#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// The name among `valid` that `word` is most likely a slip of: the nearest by edit distance, a swap
// of neighbours counting one, if that is at most max(1, length / 3). Empty where none is near.
std::string nearest_name(std::string_view word, const std::vector<std::string>& valid);

// "did you mean `height`?", or empty.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& valid);

// "a, b, c"; at most `limit` names, then how many more.
std::string join_names(const std::vector<std::string>& names, std::size_t limit = 30);

}  // namespace sluice
