#include "sluice/runtime/cli/markdown.h"

#include <algorithm>
#include <optional>

namespace sluice {
namespace {

struct Fence {
  char mark = '`';
  std::size_t length = 0;
  std::string_view word;  // what the block is said to be
};

// A line that opens or closes a fenced block, by CommonMark 0.30, section 4.5.
std::optional<Fence> read_fence(std::string_view line) {
  const std::size_t start = line.find_first_not_of(' ');
  if (start == std::string_view::npos || (line[start] != '`' && line[start] != '~'))
    return std::nullopt;
  Fence fence;
  fence.mark = line[start];
  const std::size_t after = std::min(line.find_first_not_of(fence.mark, start), line.size());
  fence.length = after - start;
  if (fence.length < 3) return std::nullopt;
  const std::size_t word = line.find_first_not_of(" \t", after);
  if (word != std::string_view::npos) {
    fence.word = line.substr(word, line.find_first_of(" \t\r{", word) - word);
  }
  return fence;
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

}  // namespace

std::vector<YamlBlock> yaml_blocks(std::string_view markdown) {
  std::vector<YamlBlock> blocks;
  std::optional<Fence> open;
  bool is_yaml = false;
  for (int number = 1; !markdown.empty(); ++number) {
    const std::string_view line = take_line(markdown);
    const std::optional<Fence> fence = read_fence(line);
    if (!open && fence) {
      open = fence;
      is_yaml = fence->word == "yaml" || fence->word == "yml";
      if (is_yaml)
        blocks.push_back({number + 1, std::string(static_cast<std::size_t>(number), '\n')});
    } else if (open && fence && fence->mark == open->mark && fence->length >= open->length &&
               fence->word.empty()) {
      open.reset();
    } else if (open && is_yaml) {
      blocks.back().text.append(line).push_back('\n');
    }
  }
  return blocks;
}

bool is_pipeline(std::string_view yaml) {
  while (!yaml.empty()) {
    if (take_line(yaml).starts_with("nodes:")) return true;
  }
  return false;
}

}  // namespace sluice
