#pragma once

#include "sluice/graphs/graph_spec.h"
#include "sluice/graphs/problems.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

using Environment = std::function<std::optional<std::string>(const std::string&)>;

// What ${...} may name.
struct Names {
  const std::vector<Parameter>* params = nullptr;  // null: only the environment
  Environment environment;
};

// Fills in every ${params.x} and ${env.X} in the scalars of a tree as the parser gave it, and never
// in its keys. ${item...} stays. Each scalar's `text` and `template_text` are set.
void substitute(SourceValue& tree, const Names& names, Problems& problems);

}  // namespace sluice
