// What one part of a program may not do to another: sleepers to those who compute, a long call to
// short ones, one pipeline to its neighbour.
#include "sluice/graphs/builder.h"

#include "tests/bench/engine/bench_nodes.h"
#include "tests/bench/engine/engine_cases.h"
#include "tests/bench/engine/engine_pipeline.h"

#include <time.h>

#include <algorithm>
#include <filesystem>

namespace sluice::bench {
namespace {

void pause_ms(std::int64_t ms) {
  const timespec pause{ms / 1000, ms % 1000 * 1'000'000};
  nanosleep(&pause, nullptr);
}

double threads_of_process() {
  const auto tasks = std::filesystem::directory_iterator("/proc/self/task");
  return static_cast<double>(std::distance(begin(tasks), end(tasks)));
}

struct Computed {
  double ns_per_item;
  double threads;
  bool all;
};

// Two stages of 20 us beside `sleepers` nodes with a source of their own, whose calls sleep 50 ms.
Computed compute_beside(int sleepers, std::int64_t steps, std::uint64_t items) {
  Meter computed(Probe::kThroughput, items);
  Meter slept(Probe::kThroughput, UINT64_MAX);  // as many as there is time for
  set_meter(0, computed);
  set_meter(1, slept);
  GraphBuilder graph("blocking");
  graph.node("source", "bench.count");
  graph.node("first", "bench.work").from("source").option("steps", steps);
  graph.node("second", "bench.work").from("first").option("steps", steps);
  graph.node("sink", "bench.arrive").from("second");
  // Short queues: the items on their way are counted together, and these are not to take them all.
  if (sleepers > 0) graph.node("slow_source", "bench.count").option("meter", 1);
  for (int i = 0; i < sleepers; ++i) {
    graph.node("sleeper_" + std::to_string(i), "bench.sleep")
        .from("slow_source")
        .option("ms", 50)
        .queue(2);
  }
  Pipeline pipeline = started_pipeline(graph.build());
  computed.wait_for_all();
  const double threads = threads_of_process();
  pipeline.stop_sources();
  pipeline.wait();
  return {computed.ns_per_item(), threads, computed.received() == items};
}

// p99 of what an item waits that is pushed every millisecond, with or without the hog beside it.
double p99_of_pushed_ns(std::int64_t hog_steps, std::uint64_t items) {
  Meter pushed(Probe::kLatencyCold, items);
  Meter hog(Probe::kThroughput, UINT64_MAX);
  set_meter(0, pushed);
  set_meter(1, hog);
  GraphBuilder graph("hog");
  graph.node("source", "app_in").option("payload", "Number");
  graph.node("first", "bench.work").from("source");
  graph.node("second", "bench.work").from("first");
  graph.node("sink", "bench.arrive").from("second");
  if (hog_steps > 0) {
    graph.node("hog_source", "bench.count").option("meter", 1);
    graph.node("hog", "bench.work").from("hog_source").option("steps", hog_steps).queue(2);
    graph.node("hog_sink", "bench.arrive").from("hog").option("meter", 1);
  }
  Pipeline pipeline = started_pipeline(graph.build());
  Input<Number> input = pipeline.input<Number>("source");
  for (std::uint64_t number = 0; pushed.next(number);) input.push(Number{number}).wait();
  input.close();
  pipeline.stop_sources();
  pipeline.wait();
  return pushed.latency_ns(0.99);
}

}  // namespace

int run_blocking(const Arguments& arguments) {
  constexpr int kSleepers = 100;
  const auto steps = static_cast<std::int64_t>(steps_of_us(20));
  const auto items = static_cast<std::uint64_t>(arguments.number("seconds", 0.4) * 1e6 / 20);
  std::vector<double> ratios;
  double threads = 0;
  bool all = true;
  for (int round = 0; round < 5; ++round) {
    const Computed alone = compute_beside(0, steps, items);
    const Computed beside = compute_beside(kSleepers, steps, items);
    ratios.push_back(alone.ns_per_item / beside.ns_per_item);
    threads = std::max(threads, beside.threads);
    all = all && alone.all && beside.all;
  }
  print_figures({{"rate_over_alone", percentile(ratios, 0.5)},
                 {"threads_beyond_nodes", threads - kSleepers}});
  return all ? 0 : 1;
}

int run_hog(const Arguments& arguments) {
  const auto steps = static_cast<std::int64_t>(steps_of_us(10'000));
  const std::uint64_t items = arguments.count("items", 400);
  std::vector<double> alone;
  std::vector<double> beside;
  for (int round = 0; round < 5; ++round) {
    alone.push_back(p99_of_pushed_ns(0, items));
    beside.push_back(p99_of_pushed_ns(steps, items));
  }
  print_figures({{"p99_over_alone", percentile(beside, 0.5) / percentile(alone, 0.5)},
                 {"p99_alone_ns", percentile(alone, 0.5)},
                 {"p99_beside_ns", percentile(beside, 0.5)}});
  return 0;
}

int run_fairness(const Arguments& arguments) {
  const auto steps = static_cast<std::int64_t>(steps_of_us(arguments.number("stage_us", 2)));
  Meter meters[2] = {Meter(Probe::kThroughput, UINT64_MAX), Meter(Probe::kThroughput, UINT64_MAX)};
  std::vector<Pipeline> pipelines;
  for (int i = 0; i < 2; ++i) {
    set_meter(static_cast<std::size_t>(i), meters[i]);
    GraphBuilder graph("fair_" + std::to_string(i));
    graph.node("source", "bench.count").option("meter", i);
    std::string last = "source";
    for (const char* name : {"a", "b", "c", "d"}) {
      graph.node(name, "bench.work").from(last).option("steps", steps);
      last = name;
    }
    graph.node("sink", "bench.arrive").from(last).option("meter", i);
    pipelines.push_back(started_pipeline(graph.build()));
  }
  const auto delivered = [&](int i) {
    return static_cast<double>(pipelines[static_cast<std::size_t>(i)].report().items.delivered);
  };
  pause_ms(100);
  const double before[2] = {delivered(0), delivered(1)};
  pause_ms(static_cast<std::int64_t>(arguments.number("seconds", 1.5) * 1000));
  const double rates[2] = {delivered(0) - before[0], delivered(1) - before[1]};
  for (Pipeline& pipeline : pipelines) pipeline.stop_sources();
  for (Pipeline& pipeline : pipelines) pipeline.wait();
  print_figures(
      {{"slower_over_faster", std::min(rates[0], rates[1]) / std::max(rates[0], rates[1])},
       {"first_items", rates[0]},
       {"second_items", rates[1]}});
  return 0;
}

}  // namespace sluice::bench
