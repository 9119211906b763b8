#pragma once

#include "sluice/graphs/diagnostic.h"
#include "sluice/graphs/graph_spec.h"
#include "sluice/graphs/load.h"
#include "sluice/graphs/plan.h"

#include <string>

namespace sluice {

// Checks a graph as a whole and makes it ready to run: node types and options, wiring, scopes,
// types, dtypes, shapes and layouts. Finds everything that is wrong, in the order of the file, and
// leaves out what only follows from something else that is wrong. Blocks: nodes may read model
// files to know their ports.
Checked<Plan> make_plan(const GraphSpec& graph);

// Loads and plans: the problems of both, together.
Checked<Plan> plan_file(const std::string& path, const LoadOptions& options = {});
Checked<Plan> plan_text(const std::string& text, const std::string& file,
                        const LoadOptions& options = {});

}  // namespace sluice
