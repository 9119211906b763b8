#include "sluice/graphs/make_plan.h"
#include "sluice/graphs/values.h"
#include "sluice/runtime/cli/commands.h"
#include "sluice/runtime/cli/interrupts.h"
#include "sluice/runtime/cli/output.h"
#include "sluice/runtime/cli/progress.h"
#include "sluice/runtime/pipeline.h"

#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace sluice {
namespace {

std::optional<Duration> drain_timeout(const std::string& text) {
  const auto read = read_duration(SourceValue::scalar(text), "`--drain-timeout`");
  if (const auto* duration = std::get_if<Duration>(&read)) return *duration;
  usage_error(std::get<ValueProblem>(read).message);
  return std::nullopt;
}

// How long an abort waits for calls of nodes that are running.
constexpr Duration kAbortPatience = std::chrono::seconds(5);

// Drains on the first signal, aborts on the second or when draining takes too long, and ends the
// process on the third, or when a node that waits for something outside holds up the abort.
class RunControl {
 public:
  RunControl(Pipeline& pipeline, Progress& progress, Duration drain_timeout)
      : pipeline_(pipeline),
        progress_(progress),
        drain_timeout_(drain_timeout),
        interrupts_(std::in_place, [this](int count) { heard(count); }) {}
  ~RunControl() {
    interrupts_.reset();
    while (const std::optional<Clock::TimerId> timer = take_timer())
      Clock::system()->cancel(*timer);
  }

  // Says that the run has come to its end: from here on the caller has the last word.
  void finished() {
    // Whoever ends the process has taken the last word; it takes no time to do so.
    while (last_word_.test_and_set()) std::this_thread::yield();
  }

  // 0 when no signal came.
  int exit_code() const {
    const int signal = interrupts_->first_signal();
    return signal == 0 ? 0 : kExitSignal + signal;
  }

 private:
  void heard(int count) {
    progress_.clear();
    if (count == 1) {
      write_message(
          fmt::format("Stopping: finishing what is on its way, for at most {}. "
                      "Once more aborts.\n",
                      to_string(OptionValue(drain_timeout_))));
      pipeline_.stop_sources();
      after(drain_timeout_, [this] { abort(); });
    } else if (count == 2) {
      write_message("Aborting: what is on its way stays unfinished.\n");
      abort();
    } else {
      end_process();
    }
  }

  void abort() {
    pipeline_.stop();
    after(kAbortPatience, [this] { end_process(); });
  }

  void end_process() {
    if (last_word_.test_and_set()) return;
    const Report report = pipeline_.report();
    const std::uint64_t open =
        report.items.in - report.items.delivered - report.items.rejected - report.items.dropped;
    const int code = exit_code();
    write_message(fmt::format("  a node did not stop: {} items are UNFINISHED\n", open) +
                  report.last_line(code) + "\n");
    std::_Exit(code);
  }

  void after(Duration time, std::function<void()> fn) {
    const Clock::TimerId timer =
        Clock::system()->call_at(Clock::system()->now() + time, std::move(fn));
    const std::scoped_lock lock(mutex_);
    timers_.push_back(timer);
  }

  // A timer may set another one while it runs, which is then found here when it has finished.
  std::optional<Clock::TimerId> take_timer() {
    const std::scoped_lock lock(mutex_);
    if (timers_.empty()) return std::nullopt;
    const Clock::TimerId timer = timers_.back();
    timers_.pop_back();
    return timer;
  }

  Pipeline& pipeline_;
  Progress& progress_;
  const Duration drain_timeout_;
  std::atomic_flag last_word_;
  std::mutex mutex_;  // of the timers
  std::vector<Clock::TimerId> timers_;
  std::optional<Interrupts> interrupts_;  // last: its thread uses the rest
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

  RunOptions options;
  options.limit = arguments.limit;
  options.fail_fast = arguments.fail_fast;
  const std::string& file = arguments.pipeline.file;
  PipelineResult pipeline = Pipeline::load(
      arguments.overwrite ? plan_file_overwriting(file, *load) : plan_file(file, *load), options);
  write_message(pipeline.error());
  if (!pipeline) return kExitUsage;
  if (const Status opened = pipeline->open(); !opened) return usage_error(opened.message());

  Progress progress(arguments.progress, pipeline->total_items());
  // Before the first item: from there on a signal drains.
  RunControl control(*pipeline, progress, *timeout);
  if (const Status started = pipeline->start(); !started) return usage_error(started.message());
  while (!pipeline->wait_for(progress.interval())) progress.show(pipeline->report());
  control.finished();
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
