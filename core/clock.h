#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>

namespace sluice {

using Duration = std::chrono::nanoseconds;
// Time since an arbitrary start; never jumps.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Where every wait and every timer of the engine goes through, so that tests run in virtual time.
// Threads: thread-safe.
class Clock {
 public:
  using TimerId = std::uint64_t;

  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;

  // Calls `fn` once at or after `when`, on a thread of the clock; `fn` must be short and must not wait.
  virtual TimerId call_at(TimePoint when, std::function<void()> fn) = 0;
  // After it returns, `fn` is not running and will not run. Must not be called from a timer's `fn`.
  virtual void cancel(TimerId id) = 0;

  // Waits until `when` or until `stop` is requested. Blocks. True when the time was reached.
  virtual bool sleep_until(TimePoint when, std::stop_token stop) = 0;

  // The machine's steady clock, shared by the process.
  static const std::shared_ptr<Clock>& system();
};

// Time that moves only when a test says so.
class VirtualClock final : public Clock {
 public:
  VirtualClock();
  ~VirtualClock() override;
  TimePoint now() const override;
  TimerId call_at(TimePoint when, std::function<void()> fn) override;
  void cancel(TimerId id) override;
  bool sleep_until(TimePoint when, std::stop_token stop) override;

  // Moves time on by `step` and runs, on this thread and in order of time, every timer that is due.
  void advance(Duration step);
  // Moves to the next timer and runs it; false when none is set.
  bool advance_to_next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice
