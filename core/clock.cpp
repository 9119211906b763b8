#include "sluice/core/clock.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace sluice {
namespace {

// Timers in the order they are due; those of one time in the order they were set. The caller locks.
class TimerQueue {
 public:
  using TimerId = Clock::TimerId;

  TimerId add(TimePoint when, std::function<void()> fn) {
    timers_.emplace(std::pair(when, ++last_id_), std::move(fn));
    times_.emplace(last_id_, when);
    return last_id_;
  }
  bool remove(TimerId id) {
    const auto time = times_.find(id);
    if (time == times_.end()) return false;
    timers_.erase({time->second, id});
    times_.erase(time);
    return true;
  }
  bool empty() const { return timers_.empty(); }
  TimePoint next() const { return timers_.begin()->first.first; }
  std::pair<TimerId, std::function<void()>> pop() {
    const auto first = timers_.begin();
    const TimerId id = first->first.second;
    std::pair<TimerId, std::function<void()>> timer(id, std::move(first->second));
    timers_.erase(first);
    times_.erase(id);
    return timer;
  }

 private:
  std::map<std::pair<TimePoint, TimerId>, std::function<void()>> timers_;
  std::map<TimerId, TimePoint> times_;
  TimerId last_id_ = 0;
};

// One thread serves every timer of the process; it starts with the first one and is never joined,
// because timers may be cancelled while static objects go.
class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }

  TimerId call_at(TimePoint when, std::function<void()> fn) override {
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(started_, true)) std::thread([this] { serve(); }).detach();
    const bool first = timers_.empty() || when < timers_.next();
    const TimerId id = timers_.add(when, std::move(fn));
    if (first) changed_.notify_one();
    return id;
  }

  void cancel(TimerId id) override {
    std::unique_lock lock(mutex_);
    if (timers_.remove(id)) return;
    finished_.wait(lock, [&] { return running_ != id; });
  }

  bool sleep_until(TimePoint when, std::stop_token stop) override {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_until(lock, std::move(stop), when, [] { return false; });
    return now() >= when;
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      if (timers_.empty()) {
        changed_.wait(lock);
      } else if (const TimePoint next = timers_.next(); now() < next) {
        changed_.wait_until(lock, next);
      } else {
        run_first(lock);
      }
    }
  }

  void run_first(std::unique_lock<std::mutex>& lock) {
    auto [id, fn] = timers_.pop();
    running_ = id;
    lock.unlock();
    fn();
    fn = nullptr;  // what it holds goes before `cancel` returns
    lock.lock();
    running_ = 0;
    finished_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable finished_;
  TimerQueue timers_;
  TimerId running_ = 0;
  bool started_ = false;
};

}  // namespace

const std::shared_ptr<Clock>& Clock::system() {
  static const auto& clock = *new std::shared_ptr<Clock>(std::make_shared<SystemClock>());
  return clock;
}

struct VirtualClock::State {
  mutable std::mutex mutex;
  std::condition_variable_any moved;
  std::condition_variable finished;
  TimerQueue timers;
  TimePoint now{};
  TimerId running = 0;

  // Runs the first timer, at its time.
  void run_first(std::unique_lock<std::mutex>& lock) {
    now = std::max(now, timers.next());
    auto [id, fn] = timers.pop();
    running = id;
    lock.unlock();
    moved.notify_all();
    fn();
    fn = nullptr;
    lock.lock();
    running = 0;
    finished.notify_all();
  }
};

VirtualClock::VirtualClock() : state_(std::make_unique<State>()) {}
VirtualClock::~VirtualClock() = default;

TimePoint VirtualClock::now() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->now;
}

Clock::TimerId VirtualClock::call_at(TimePoint when, std::function<void()> fn) {
  const std::scoped_lock lock(state_->mutex);
  return state_->timers.add(when, std::move(fn));
}

void VirtualClock::cancel(TimerId id) {
  std::unique_lock lock(state_->mutex);
  if (state_->timers.remove(id)) return;
  state_->finished.wait(lock, [&] { return state_->running != id; });
}

bool VirtualClock::sleep_until(TimePoint when, std::stop_token stop) {
  std::unique_lock lock(state_->mutex);
  return state_->moved.wait(lock, std::move(stop), [&] { return state_->now >= when; });
}

void VirtualClock::advance(Duration step) {
  std::unique_lock lock(state_->mutex);
  const TimePoint target = state_->now + step;
  while (!state_->timers.empty() && state_->timers.next() <= target) state_->run_first(lock);
  state_->now = std::max(state_->now, target);
  lock.unlock();
  state_->moved.notify_all();
}

bool VirtualClock::advance_to_next() {
  std::unique_lock lock(state_->mutex);
  if (state_->timers.empty()) return false;
  state_->run_first(lock);
  return true;
}

}  // namespace sluice
