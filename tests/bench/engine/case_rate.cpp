#include "sluice/graphs/builder.h"

#include "tests/bench/engine/bench_nodes.h"
#include "tests/bench/engine/engine_cases.h"
#include "tests/bench/engine/engine_pipeline.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace sluice::bench {
namespace {

struct Stage {
  double us;
  int parallel;
};

std::vector<Stage> stages_of(const std::string& mix) {
  std::vector<Stage> stages;
  std::istringstream words(mix);
  for (std::string word; std::getline(words, word, ',');) {
    const std::size_t times = word.find('x');
    stages.push_back({std::strtod(word.c_str(), nullptr),
                      times == std::string::npos ? 1 : std::atoi(word.c_str() + times + 1)});
  }
  return stages;
}

// No pipeline gives items faster than its dearest stage, nor than all cores can do its work.
double least_us(const std::vector<Stage>& stages, int cores) {
  double sum = 0;
  double dearest = 0;
  for (const Stage& stage : stages) {
    sum += stage.us;
    dearest = std::max(dearest, stage.us / stage.parallel);
  }
  return std::max(dearest, sum / cores);
}

}  // namespace

int run_rate(const Arguments& arguments) {
  const std::vector<Stage> stages = stages_of(arguments.text("mix", "5,20,40x2,10"));
  const int cores = available_cores();
  const double steps_per_us = static_cast<double>(steps_of_us(1000)) / 1000;
  Meter meter(Probe::kThroughput, static_cast<std::uint64_t>(arguments.number("seconds", 0.5) *
                                                             1e6 / least_us(stages, cores)));
  set_meter(0, meter);

  GraphBuilder graph("rate");
  graph.node("source", "bench.count");
  std::string last = "source";
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    const std::string name = "stage_" + std::to_string(i);
    NodeBuilder& node = graph.node(name, stage.parallel > 1 ? "bench.work_parallel" : "bench.work")
                            .from(last)
                            .option("steps", static_cast<std::int64_t>(stage.us * steps_per_us));
    if (stage.parallel > 1) node.parallel(stage.parallel);
    last = name;
  }
  graph.node("sink", "bench.arrive").from(last);

  const double before = ns_per_step(cores);
  const Report report = started_pipeline(graph.build()).wait();
  const double after = ns_per_step(cores);

  const double ideal_ns = (before + after) / 2 * steps_per_us * least_us(stages, cores);
  print_figures({{"rate_over_ideal", ideal_ns / meter.whole_ns_per_item()},
                 {"ns_per_item", meter.whole_ns_per_item()},
                 {"ideal_ns", ideal_ns},
                 {"disorder", static_cast<double>(meter.disorder())}});
  return report.items.delivered == meter.items() ? 0 : 1;
}

}  // namespace sluice::bench
