#pragma once

#include "sluice/graphs/graph_spec.h"
#include "sluice/graphs/problems.h"
#include "sluice/graphs/substitute.h"

#include <string>
#include <utility>
#include <vector>

namespace sluice {

// Reads `params:` (its type is that of its default, or as the long form says) and gives each the
// value from the command line where there is one, which must be of that type.
std::vector<Parameter> read_params(SourceValue* params,
                                   const std::vector<std::pair<std::string, std::string>>& given,
                                   const Environment& environment, Problems& problems);

}  // namespace sluice
