#include "sluice/runtime/cli/progress.h"

#include "sluice/core/value.h"
#include "sluice/runtime/cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kClearLine = "\r\x1b[K";

std::uint64_t settled(const Ledger::Counts& items) {
  return items.delivered + items.rejected + items.dropped;
}

double per_second(const Report& report) {
  const double seconds = std::chrono::duration<double>(report.elapsed).count();
  return seconds > 0 ? static_cast<double>(settled(report.items)) / seconds : 0;
}

std::string remaining_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

Value counted(std::uint64_t number) { return static_cast<std::int64_t>(number); }

}  // namespace

ProgressMode resolved(ProgressMode mode) {
  if (mode != ProgressMode::kAuto) return mode;
  return ::isatty(STDERR_FILENO) == 1 ? ProgressMode::kTty : ProgressMode::kOff;
}

Progress::Progress(ProgressMode mode, std::optional<std::uint64_t> total)
    : mode_(resolved(mode)), total_(total) {
  if (mode_ != ProgressMode::kTty) return;
  log_before_ = Log::set_sink({});
  if (!log_before_) return;
  Log::set_sink([this, before = log_before_](LogLevel level, std::string_view source,
                                             std::string_view message) {
    const std::scoped_lock lock(mutex_);
    clear_locked();
    before(level, source, message);
  });
}

Progress::~Progress() {
  clear();
  if (log_before_) Log::set_sink(std::move(log_before_));
}

Duration Progress::interval() const {
  switch (mode_) {
    case ProgressMode::kTty:
      return 200ms;
    case ProgressMode::kPlain:
      return 5s;
    case ProgressMode::kJson:
      return 1s;
    default:
      return 1h;
  }
}

void Progress::show(const Report& report) {
  if (mode_ == ProgressMode::kOff) return;
  const std::string text = line(report);
  const std::scoped_lock lock(mutex_);
  if (mode_ == ProgressMode::kTty) {
    write_message(std::string(kClearLine) + text);
    drawn_ = true;
  } else {
    write_message(text + "\n");
  }
}

void Progress::clear() {
  const std::scoped_lock lock(mutex_);
  clear_locked();
}

void Progress::clear_locked() {
  if (std::exchange(drawn_, false)) write_message(kClearLine);
}

std::string Progress::line(const Report& report) const {
  const std::uint64_t done = settled(report.items);
  const double rate = per_second(report);
  if (mode_ == ProgressMode::kJson) {
    Value::Object object{{"event", "progress"},
                         {"in", counted(report.items.in)},
                         {"delivered", counted(report.items.delivered)},
                         {"rejected", counted(report.items.rejected)},
                         {"dropped", counted(report.items.dropped)},
                         {"seconds", std::chrono::duration<double>(report.elapsed).count()}};
    if (total_) object.emplace_back("total", counted(*total_));
    return Value(std::move(object)).to_json();
  }

  std::string text = fmt::format("{}", done);
  if (total_ && *total_ > 0) {
    text += fmt::format("/{}  {} %", *total_, 100 * std::min(done, *total_) / *total_);
  }
  text +=
      rate >= 10 ? fmt::format("  {:.0f} items/s", rate) : fmt::format("  {:.2f} items/s", rate);
  if (report.items.rejected > 0) text += fmt::format("  {} rejected", report.items.rejected);
  if (total_ && rate > 0 && *total_ > done) {
    text += "  " + remaining_text(static_cast<double>(*total_ - done) / rate) + " left";
  }
  return text;
}

}  // namespace sluice
