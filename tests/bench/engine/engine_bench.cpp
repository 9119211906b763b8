// The engine, measured through its own interface: real packets, tokens, credits and statistics.
//
//   engine_bench case=chain [stages=4] [items=300000] [nodes=serial|parallel] [threads=0]
//                [wait=ticket|outside]
//
// Cases: those of run_case in workload.h and of engine_cases.h.
#include "sluice/graphs/builder.h"
#include "sluice/runtime/pipeline.h"

#include "tests/bench/engine/bench_nodes.h"
#include "tests/bench/engine/engine_cases.h"
#include "tests/bench/engine/engine_pipeline.h"
#include "tests/bench/engine/workload.h"

#include <cstdio>
#include <cstdlib>

namespace sluice::bench {
namespace {

struct EngineOptions {
  int threads = 0;
  std::string work_type = "bench.work";
  // Whether who pushed an item waits in the engine, which may then use the thread, or outside.
  bool waits_on_ticket = true;
};

// The latency cases push from the program, as a service does; the others have a source.
GraphSpec graph_of(const Shape& shape, bool pushed, const EngineOptions& options) {
  GraphBuilder graph("bench");
  const auto queue = static_cast<std::uint32_t>(shape.capacity);
  if (pushed) {
    graph.node("source", "app_in").option("payload", "Number");
  } else {
    graph.node("source", "bench.count");
  }
  const auto work = [&](const std::string& name, const std::string& from) {
    graph.node(name, options.work_type).from(from).option("steps", shape.steps).queue(queue);
    return name;
  };
  std::string last = "source";
  if (shape.diamond) {
    NodeBuilder& join = [&]() -> NodeBuilder& {
      for (const char* branch : {"a", "b", "c", "d"}) work(std::string("work_") + branch, "source");
      return graph.node("join", "bench.join").queue(queue);
    }();
    for (const char* branch : {"a", "b", "c", "d"})
      join.from(branch, std::string("work_") + branch);
    last = "join";
  } else {
    for (int i = 0; i < shape.stages; ++i) last = work("work_" + std::to_string(i), last);
  }
  graph.node("sink", "bench.arrive").from(last).queue(queue);
  return graph.build();
}

void run_engine(const Shape& shape, Meter& meter, const EngineOptions& options) {
  set_meter(0, meter);
  const bool pushed = meter.probe() != Probe::kThroughput;
  Pipeline pipeline = started_pipeline(graph_of(shape, pushed, options), options.threads);
  if (pushed) {
    Input<Number> input = pipeline.input<Number>("source");
    for (std::uint64_t number = 0; meter.next(number);) {
      const Ticket ticket = input.push(Number{number});
      if (options.waits_on_ticket) ticket.wait();
    }
    input.close();
  }
  const Report report = pipeline.wait();
  if (report.items.delivered != meter.items())
    std::fprintf(stderr, "%s\n", report.to_text().c_str());
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  using namespace sluice::bench;
  const Arguments arguments(argc, argv);
  EngineOptions options;
  options.threads = static_cast<int>(arguments.number("threads", 0));
  if (arguments.text("nodes", "serial") == "parallel") options.work_type = "bench.work_parallel";
  options.waits_on_ticket = arguments.text("wait", "ticket") == "ticket";
  const std::string name = arguments.text("case", "chain");
  if (name == "rate") return run_rate(arguments);
  if (name == "blocking") return run_blocking(arguments);
  if (name == "hog") return run_hog(arguments);
  if (name == "fairness") return run_fairness(arguments);
  if (name == "overload") return run_overload(arguments);
  return run_case(arguments,
                  [&](const Shape& shape, Meter& meter) { run_engine(shape, meter, options); });
}
