#pragma once

#include "sluice/graphs/graph_spec.h"
#include "sluice/runtime/pipeline.h"

namespace sluice::bench {

// A pipeline that has started, with `threads` in its pool; 0: one for each core
// that the process may use. Errors: what is wrong is
// printed, and the program ends with status 2.
Pipeline started_pipeline(const GraphSpec& graph, int threads = 0);

}  // namespace sluice::bench
