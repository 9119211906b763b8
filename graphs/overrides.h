#pragma once

#include "sluice/graphs/problems.h"
#include "sluice/graphs/source_value.h"

#include <string>
#include <vector>

namespace sluice {

// Applies `--set nodes.a.width=3` to the tree of a file, before values are filled in. What is set
// is read as YAML, and its paths are relative to the working directory.
void apply_overrides(SourceValue& tree, const std::vector<std::string>& sets, Problems& problems);

}  // namespace sluice
