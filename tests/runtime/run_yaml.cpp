#include "tests/runtime/run_yaml.h"

#include "sluice/graphs/make_plan.h"

#include <cstdio>
#include <cstdlib>

namespace sluice::testing {

Pipeline load_yaml(const std::string& yaml, RunOptions options) {
  PipelineResult pipeline = Pipeline::load(plan_text(yaml, "test.yaml"), std::move(options));
  if (!pipeline) {
    std::fprintf(stderr, "%s\n%s\n", pipeline.error().c_str(), yaml.c_str());
    std::abort();
  }
  return std::move(*pipeline);
}

Report run_yaml(const std::string& yaml, RunOptions options) {
  Pipeline pipeline = load_yaml(yaml, std::move(options));
  const Status started = pipeline.start();
  if (!started.is_ok()) {
    std::fprintf(stderr, "%s\n", started.message().c_str());
    std::abort();
  }
  return pipeline.wait();
}

}  // namespace sluice::testing
