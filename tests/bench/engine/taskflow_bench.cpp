// Taskflow's pipeline: five serial pipes and as many lines as an edge of ours holds items.
//
//   taskflow_bench case=chain ...
//
// The number of pipes is part of a pipeline's type: chains of four stages only. It has no diamond
// through which items follow each other. Cases: those of run_case in workload.h.
#include "tests/bench/engine/workload.h"

#include <taskflow/algorithm/pipeline.hpp>
#include <taskflow/taskflow.hpp>

#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace sluice::bench {
namespace {

void chain(const Shape& shape, Meter& meter) {
  if (shape.diamond || shape.stages != 4) {
    std::fprintf(stderr, "this contender has chains of four stages only\n");
    std::exit(2);
  }
  const std::size_t lines = meter.probe() == Probe::kThroughput ? shape.capacity : 1;
  std::vector<std::uint64_t> items(lines);
  const auto pipe = [](auto body) { return tf::Pipe{tf::PipeType::SERIAL, std::move(body)}; };
  const auto stage = [&](tf::Pipeflow& flow) { burn(shape.steps, items[flow.line()]); };
  tf::Pipeline pipeline(lines, pipe([&](tf::Pipeflow& flow) {
                          if (!meter.next(items[flow.line()])) flow.stop();
                        }),
                        pipe(stage), pipe(stage), pipe(stage), pipe(stage),
                        pipe([&](tf::Pipeflow& flow) { meter.arrived(items[flow.line()]); }));
  tf::Taskflow taskflow;
  taskflow.composed_of(pipeline);
  tf::Executor executor(static_cast<std::size_t>(available_cores()));
  executor.run(taskflow).wait();
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  using namespace sluice::bench;
  return run_case(Arguments(argc, argv), chain);
}
