#include "tests/bench/engine/engine_pipeline.h"

#include "tests/bench/engine/workload.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace sluice::bench {

Pipeline started_pipeline(const GraphSpec& graph, int threads) {
  RunOptions options;
  options.threads = threads > 0 ? threads : available_cores();
  PipelineResult loaded = Pipeline::load(graph, options);
  if (!loaded) {
    std::fprintf(stderr, "%s", loaded.error().c_str());
    std::exit(2);
  }
  if (const Status started = loaded->start(); !started.is_ok()) {
    std::fprintf(stderr, "%s\n", started.message().c_str());
    std::exit(2);
  }
  return std::move(*loaded);
}

}  // namespace sluice::bench
