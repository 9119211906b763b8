#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// A fenced block of YAML in a Markdown text.
struct YamlBlock {
  int first_line = 1;  // of the block's text, counted from 1 in the whole
  std::string text;    // with as many empty lines in front, so that its lines are numbered as there
};

// The blocks between ```yaml (or ```yml, or ~~~) and the closing fence, in order.
std::vector<YamlBlock> yaml_blocks(std::string_view markdown);

// Whether a YAML text is a whole pipeline: it has `nodes:` at its top level.
bool is_pipeline(std::string_view yaml);

}  // namespace sluice
