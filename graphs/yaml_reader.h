#pragma once

#include "sluice/graphs/source_value.h"

#include <string>

namespace sluice {

// Limits on what a file may be, so that no file can take the program's memory or stack.
inline constexpr std::size_t kMaxYamlBytes = 1 << 20;
inline constexpr std::size_t kMaxYamlDepth = 64;

// Reads one YAML document into a tree that keeps the place of every key and value. Stricter than
// YAML: duplicate keys, anchors, aliases, tags, several documents, keys that are no text, bytes
// that are not UTF-8 and files over 1 MiB or 64 levels are refused. Values stay text: `no` is not
// false here. `file` is the name to show. The value is there as far as the file could be read, with
// problems too, so that the rest of it can be checked; it is absent where it could not be read to
// its end. Marks are right for `text` without a byte order mark, which is what diagnostics.source
// holds.
Checked<SourceValue> read_yaml(const std::string& text, const std::string& file);

}  // namespace sluice
