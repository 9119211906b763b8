#pragma once

#include "sluice/core/clock.h"

#include <functional>
#include <stop_token>
#include <utility>

namespace sluice::testing {

// Time that moves for whoever sleeps on it, so that one thread plays everybody's part.
class SteppingClock final : public Clock {
 public:
  TimePoint now() const override { return time_.now(); }
  TimerId call_at(TimePoint when, std::function<void()> fn) override {
    return time_.call_at(when, std::move(fn));
  }
  void cancel(TimerId id) override { time_.cancel(id); }
  bool sleep_until(TimePoint when, std::stop_token) override {
    time_.advance(when - time_.now());
    return true;
  }
  void advance(Duration step) { time_.advance(step); }
  bool advance_to_next() { return time_.advance_to_next(); }

 private:
  VirtualClock time_;
};

}  // namespace sluice::testing
