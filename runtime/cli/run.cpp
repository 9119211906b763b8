#include "sluice/graphs/make_plan.h"
#include "sluice/graphs/values.h"
#include "sluice/runtime/cli/commands.h"
#include "sluice/runtime/cli/interrupts.h"
#include "sluice/runtime/cli/output.h"
#include "sluice/runtime/cli/progress.h"
#include "sluice/runtime/pipeline.h"

#include <fmt/format.h>

#include <csignal>
#include <optional>

namespace sluice {
namespace {

// `--overwrite` is the option of that name, set on every node whose type has it.
std::vector<std::string> overwrite_sets(const std::string& file, const LoadOptions& options) {
  std::vector<std::string> sets;
  const Checked<GraphSpec> graph = load_file_leniently(file, options);
  if (!graph.value) return sets;
  for (const NodeDecl& node : graph.value->nodes) {
    const NodeType* type = find_node_type(node.type);
    if (type && type->spec->find_option("overwrite")) {
      sets.push_back("nodes." + node.name + ".overwrite=true");
    }
  }
  return sets;
}

std::optional<Duration> drain_timeout(const std::string& text) {
  const auto read = read_duration(SourceValue::scalar(text), "`--drain-timeout`");
  if (const auto* duration = std::get_if<Duration>(&read)) return *duration;
  usage_error(std::get<ValueProblem>(read).message);
  return std::nullopt;
}

// Drains on the first signal and aborts on the second, or when draining takes too long.
class RunControl {
 public:
  RunControl(Pipeline& pipeline, Progress& progress, Duration drain_timeout)
      : pipeline_(pipeline),
        progress_(progress),
        drain_timeout_(drain_timeout),
        interrupts_([this](int count) { heard(count); }) {}
  ~RunControl() {
    if (timer_) Clock::system()->cancel(*timer_);
  }

  // 0 when no signal came.
  int exit_code() const {
    const int signal = interrupts_.first_signal();
    return signal == 0 ? 0 : kExitSignal + signal;
  }

 private:
  void heard(int count) {
    progress_.clear();
    if (count > 1) {
      write_message("Aborting: what is on its way stays unfinished.\n");
      pipeline_.stop();
      return;
    }
    write_message(
        fmt::format("Stopping: finishing what is on its way, for at most {}. "
                    "Once more aborts.\n",
                    to_string(OptionValue(drain_timeout_))));
    pipeline_.stop_sources();
    timer_ = Clock::system()->call_at(Clock::system()->now() + drain_timeout_,
                                      [this] { pipeline_.stop(); });
  }

  Pipeline& pipeline_;
  Progress& progress_;
  const Duration drain_timeout_;
  std::optional<Clock::TimerId> timer_;
  Interrupts interrupts_;  // last: its thread uses the rest
};

// A reader that went away, as `| head` does, is no failure worth words.
bool ended_by_closed_output(const Report& report) {
  return report.failure.reason() == "sink.closed";
}

int exit_code_of(const Report& report, int interrupted) {
  if (interrupted != 0) return interrupted;
  if (ended_by_closed_output(report)) {
    return report.items.in == report.items.delivered ? kExitOk : kExitFailed;
  }
  return report.exit_code();
}

std::string how_to_go_on(const Plan& plan, const Report& report, int code) {
  std::string text;
  if (report.items.rejected > 0 && !plan.rejects.path.empty()) {
    text += fmt::format("  the rejected ones, each with its reason: {}\n", plan.rejects.path);
  }
  if (code > kExitSignal) {
    text += "  interrupted: what is written is whole; run again with --overwrite to do all of it\n";
  }
  return text;
}

}  // namespace

int run_command(const RunArguments& arguments) {
  std::optional<LoadOptions> load =
      load_options(arguments.pipeline.params, arguments.pipeline.sets);
  const std::optional<Duration> timeout = drain_timeout(arguments.drain_timeout);
  if (!load || !timeout) return kExitUsage;
  log_to_stderr(arguments.log_level, arguments.log_format);
  if (arguments.overwrite) {
    for (std::string& set : overwrite_sets(arguments.pipeline.file, *load)) {
      load->sets.push_back(std::move(set));
    }
  }

  RunOptions options;
  options.limit = arguments.limit;
  options.fail_fast = arguments.fail_fast;
  PipelineResult pipeline = Pipeline::load(plan_file(arguments.pipeline.file, *load), options);
  write_message(pipeline.error());
  if (!pipeline) return kExitUsage;
  if (const Status started = pipeline->start(); !started) {
    return usage_error(started.message());
  }

  Progress progress(arguments.progress, pipeline->total_items());
  RunControl control(*pipeline, progress, *timeout);
  while (!pipeline->wait_for(progress.interval())) progress.show(pipeline->report());
  progress.clear();

  const Report report = pipeline->wait();
  const int code = exit_code_of(report, control.exit_code());
  if (!ended_by_closed_output(report)) {
    write_message(report.to_text() + how_to_go_on(pipeline->plan(), report, code));
  }
  write_message(report.last_line(code) + "\n");
  return code;
}

}  // namespace sluice
