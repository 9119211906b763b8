#include "sluice/core/value.h"
#include "sluice/graphs/make_plan.h"
#include "sluice/graphs/values.h"
#include "sluice/runtime/cli/commands.h"
#include "sluice/runtime/cli/interrupts.h"
#include "sluice/runtime/cli/output.h"
#include "sluice/runtime/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <thread>

namespace sluice {
namespace {

std::optional<Duration> read_time(const std::string& text, const char* option) {
  const auto read = read_duration(SourceValue::scalar(text), option);
  if (const auto* duration = std::get_if<Duration>(&read)) return *duration;
  usage_error(std::get<ValueProblem>(read).message);
  return std::nullopt;
}

// What was measured between the end of the warm-up and the end of the run.
struct Measurement {
  double seconds = 0;
  double items = 0;  // that came to their end
  Durations end_to_end;
  std::vector<NodeStats> nodes;
  int cores = 1;
  bool warmed_up = false;
};

std::uint64_t finished(const Report& report) {
  return report.items.delivered + report.items.rejected + report.items.dropped;
}

NodeStats since(const NodeStats& now, const NodeStats& before) {
  NodeStats stats = now;
  stats.items -= before.items;
  stats.rejected -= before.rejected;
  stats.busy_ns -= before.busy_ns;
  stats.measures = std::make_shared<const NodeMeasures>(
      NodeMeasures{now.measures->calls.since(before.measures->calls),
                   now.measures->blocked_ns - before.measures->blocked_ns,
                   now.measures->allocations - before.measures->allocations});
  return stats;
}

Measurement measured(const Report& end, const std::optional<Report>& warm) {
  Measurement result;
  result.cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  result.nodes = end.nodes;
  result.end_to_end = end.end_to_end;
  result.items = static_cast<double>(finished(end));
  result.seconds = std::chrono::duration<double>(end.elapsed).count();
  if (!warm) return result;
  result.warmed_up = true;
  result.items -= static_cast<double>(finished(*warm));
  result.seconds -= std::chrono::duration<double>(warm->elapsed).count();
  result.end_to_end = end.end_to_end.since(warm->end_to_end);
  for (std::size_t i = 0; i < result.nodes.size(); ++i) {
    result.nodes[i] = since(end.nodes[i], warm->nodes[i]);
  }
  return result;
}

// What bounds the rate: the node whose calls fill its workers first, or the cores, which all nodes
// of the pool share. Nodes on threads of their own count for themselves only: they wait for most of
// their time, if only for a core.
struct Ideal {
  double ns_per_item = 0;
  std::string bottleneck;
};

double ns_per_item(const NodeStats& node, const Measurement& measurement) {
  return static_cast<double>(node.busy_ns) / std::max(1.0, measurement.items);
}

Ideal ideal_of(const Measurement& measurement) {
  Ideal ideal;
  double all = 0;
  for (const NodeStats& node : measurement.nodes) {
    const double ns = ns_per_item(node, measurement);
    if (node.execution == ExecutionClass::kCpu) all += ns;
    const double alone = ns / static_cast<double>(std::max<std::size_t>(1, node.workers));
    if (alone > ideal.ns_per_item) ideal = {alone, node.name};
  }
  const double shared = all / measurement.cores;
  if (shared > ideal.ns_per_item) {
    const auto costliest = std::ranges::max_element(measurement.nodes, {}, &NodeStats::busy_ns);
    ideal = {shared,
             fmt::format("the {} cores, most of them in {}", measurement.cores, costliest->name)};
  }
  return ideal;
}

double rate_over_ideal(const Measurement& measurement, const Ideal& ideal) {
  return measurement.seconds > 0
             ? ideal.ns_per_item * measurement.items / (measurement.seconds * 1e9)
             : 0;
}

std::string time_text(double ns) {
  if (ns < 1e3) return fmt::format("{:.0f} ns", ns);
  if (ns < 1e6) return fmt::format("{:.1f} us", ns / 1e3);
  if (ns < 1e9) return fmt::format("{:.1f} ms", ns / 1e6);
  return fmt::format("{:.2f} s", ns / 1e9);
}

std::string quantile_text(const Durations& durations, double share) {
  return durations.count() == 0 ? "-" : time_text(static_cast<double>(durations.quantile(share)));
}

double share_of_time(double ns, std::size_t workers, const Measurement& measurement) {
  return ns / (measurement.seconds * 1e9 * static_cast<double>(std::max<std::size_t>(1, workers)));
}

double per_item(std::uint64_t count, const Measurement& measurement) {
  return static_cast<double>(count) / std::max(1.0, measurement.items);
}

std::string table(const Measurement& measurement) {
  std::size_t width = 4;
  for (const NodeStats& node : measurement.nodes) width = std::max(width, node.name.size());
  std::string text = fmt::format(
      "  {:<{}}  {:>9}  {:>7}  {:>9}  {:>9}  {:>9}  {:>5}  {:>7}  {:>11}\n", "node", width, "calls",
      "at once", "an item", "call p50", "call p99", "busy", "blocked", "allocations");
  for (const NodeStats& node : measurement.nodes) {
    const NodeMeasures& more = *node.measures;
    text += fmt::format(
        "  {:<{}}  {:>9}  {:>7}  {:>9}  {:>9}  {:>9}  {:>4.0f}%  {:>6.0f}%  {:>11.1f}\n", node.name,
        width, node.items, node.workers, time_text(ns_per_item(node, measurement)),
        quantile_text(more.calls, 0.5), quantile_text(more.calls, 0.99),
        100 * share_of_time(static_cast<double>(node.busy_ns), node.workers, measurement),
        100 * share_of_time(static_cast<double>(more.blocked_ns), 1, measurement),
        per_item(more.allocations, measurement));
  }
  return text;
}

std::string text_of(const std::string& name, const Measurement& measurement) {
  const Ideal ideal = ideal_of(measurement);
  const double rate = measurement.items / std::max(1e-9, measurement.seconds);
  std::string text = fmt::format("{}: {:.0f} items in {:.2f} s, {:.{}f} items/s{}\n\n", name,
                                 measurement.items, measurement.seconds, rate, rate < 100 ? 2 : 0,
                                 measurement.warmed_up ? "" : ", no warm-up: the run was shorter");
  text += table(measurement);
  text += fmt::format("\n  end to end      p50 {}, p99 {}\n",
                      quantile_text(measurement.end_to_end, 0.5),
                      quantile_text(measurement.end_to_end, 0.99));
  for (const NodeStats& node : measurement.nodes) {
    if (node.model.backend.empty()) continue;
    text += fmt::format("  {:<15} {} runs the model: {}\n", node.name, node.model.backend,
                        node.model.why);
  }
  text += fmt::format("  bottleneck      {}\n", ideal.bottleneck.empty() ? "-" : ideal.bottleneck);
  text +=
      fmt::format("  rate over ideal {:.2f}: {} an item where the bottleneck alone would take {}\n",
                  rate_over_ideal(measurement, ideal),
                  time_text(measurement.seconds * 1e9 / std::max(1.0, measurement.items)),
                  time_text(ideal.ns_per_item));
  return text;
}

std::string json_of(const std::string& name, const Measurement& measurement) {
  const auto number = [](std::uint64_t value) { return Value(static_cast<std::int64_t>(value)); };
  const Ideal ideal = ideal_of(measurement);
  Value::Array nodes;
  for (const NodeStats& node : measurement.nodes) {
    nodes.push_back(Value(Value::Object{
        {"name", node.name},
        {"type", node.type},
        {"backend", node.model.backend},
        {"calls", number(node.items)},
        {"at_once", number(node.workers)},
        {"ns_per_item", ns_per_item(node, measurement)},
        {"call_p50_ns", number(node.measures->calls.quantile(0.5))},
        {"call_p99_ns", number(node.measures->calls.quantile(0.99))},
        {"busy", share_of_time(static_cast<double>(node.busy_ns), node.workers, measurement)},
        {"blocked", share_of_time(static_cast<double>(node.measures->blocked_ns), 1, measurement)},
        {"allocations_per_item", per_item(node.measures->allocations, measurement)}}));
  }
  return Value(Value::Object{{"pipeline", name},
                             {"items", measurement.items},
                             {"seconds", measurement.seconds},
                             {"warmed_up", measurement.warmed_up},
                             {"end_to_end_p50_ns", number(measurement.end_to_end.quantile(0.5))},
                             {"end_to_end_p99_ns", number(measurement.end_to_end.quantile(0.99))},
                             {"bottleneck", ideal.bottleneck},
                             {"rate_over_ideal", rate_over_ideal(measurement, ideal)},
                             {"nodes", Value(std::move(nodes))}})
             .to_json() +
         "\n";
}

// Runs it; gives the report at the end of the warm-up, which lasts until an item has come through,
// where the run was long enough for one. REQUIRES: the pipeline is open.
std::optional<Report> run_measured(Pipeline& pipeline, Duration warm_up, Duration time) {
  Interrupts interrupts([&pipeline](int count) {
    if (count == 1) {
      pipeline.stop_sources();
    } else {
      pipeline.stop();
    }
  });
  (void)pipeline.start();  // what can fail is `open`
  Report warm;
  while (finished(warm) == 0) {
    if (pipeline.wait_for(warm_up)) return std::nullopt;
    warm = pipeline.report();
  }
  if (!pipeline.wait_for(time)) pipeline.stop_sources();
  pipeline.wait();
  return warm;
}

}  // namespace

int bench_command(const BenchArguments& arguments) {
  std::optional<LoadOptions> load =
      load_options(arguments.pipeline.params, arguments.pipeline.sets);
  const std::optional<Duration> warm_up = read_time(arguments.warm_up, "`--warm-up`");
  const std::optional<Duration> time = read_time(arguments.time, "`--time`");
  if (!load || !warm_up || !time) return kExitUsage;
  log_to_stderr(LogLevel::kWarning, LogFormat::kText);

  RunOptions options;
  options.limit = arguments.limit;
  options.measure = true;
  const std::string& file = arguments.pipeline.file;
  PipelineResult pipeline = Pipeline::load(
      arguments.overwrite ? plan_file_overwriting(file, *load) : plan_file(file, *load), options);
  write_message(pipeline.error());
  if (!pipeline) return kExitUsage;
  if (const Status opened = pipeline->open(); !opened) return usage_error(opened.message());

  const std::optional<Report> warm = run_measured(*pipeline, *warm_up, *time);
  const Report report = pipeline->wait();
  if (!report.failure.is_ok() || report.aborted) {
    write_message(report.to_text() + report.last_line(kExitFailed) + "\n");
    return kExitFailed;
  }
  const Measurement measurement = measured(report, warm);
  const std::string& name = report.pipeline.empty() ? arguments.pipeline.file : report.pipeline;
  const int written =
      write_data(arguments.format == BenchFormat::kJson ? json_of(name, measurement)
                                                        : text_of(name, measurement));
  return written != kExitOk ? written : report.exit_code();
}

}  // namespace sluice
