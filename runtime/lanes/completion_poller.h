#pragma once

#include "sluice/core/clock.h"
#include "sluice/core/device.h"
#include "sluice/runtime/fifo.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace sluice {

// Notices what a device has done, and tells whoever watches for it: one poller, with one thread,
// for each device. It asks the oldest event of each queue only, since a stream does its work in
// order, and ever more rarely the longer nothing comes: at every turn at first, then every 10 us,
// then after a sixteenth of the time it has waited already, so that what it adds to long work is
// bounded by a share of that work. It is asleep while nothing is pending.
//
// Not cudaLaunchHostFunc, which is not called once the device is lost; nor cudaEventSynchronize,
// which waits for one stream while others are done, cannot be woken, and would never return from a
// kernel that hangs.
// Threads: thread-safe; `step` one thread at a time. Lifetime: outlives who watches, or else what
// they watch for is never told.
class CompletionPoller {
 public:
  // Told on the poller's thread, without a lock; may watch for the next event.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    // The event is done, or its work or the device has failed. Once for each `watch`.
    virtual void on_done(Status status) = 0;
    // The queue's time for its oldest event has passed. At most once, before on_done, which may
    // never come.
    virtual void on_overdue() = 0;
  };

  struct Pace {
    Duration spin = std::chrono::microseconds(20);
    Duration shortest_nap = std::chrono::microseconds(10);
    Duration longest_nap = std::chrono::milliseconds(1);
  };

  // The events of one stream. Made by new_queue.
  class Queue;

  explicit CompletionPoller(std::shared_ptr<Clock> clock)
      : CompletionPoller(std::move(clock), Pace()) {}
  CompletionPoller(std::shared_ptr<Clock> clock, Pace pace);
  // Memory that a device may still write is never given back: who watches for an event that is not
  // done yet, and what he holds, stays until the process ends.
  ~CompletionPoller();

  // `timeout` is for one event, from when it was watched for and those before it were told.
  std::shared_ptr<Queue> new_queue(Duration timeout) const;

  // REQUIRES: events of one queue are watched for in the order in which its stream recorded them;
  // `event` is part of what `watcher` keeps alive, and not recorded anew before it is told.
  // Never blocks.
  void watch(const std::shared_ptr<Queue>& queue, Event& event, std::shared_ptr<Watcher> watcher);

  enum class Turn { kTold, kAsked, kSlept };
  // Asks, tells, and if there was nothing to tell sleeps for as long as its pace says. Blocks: on
  // the clock, until `wake` at the latest.
  Turn step();
  void wake();
  // Nothing is pending.
  bool is_idle() const;
  const std::shared_ptr<Clock>& clock() const { return clock_; }

 private:
  struct Watched {
    Event* event = nullptr;
    std::shared_ptr<Watcher> watcher;
  };
  struct Told {
    std::shared_ptr<Watcher> watcher;
    Status status;
    bool is_overdue = false;
  };

  void ask(Queue& queue, TimePoint now);
  Turn sleep(std::unique_lock<std::mutex>& lock, TimePoint now);

  const std::shared_ptr<Clock> clock_;
  const Pace pace_;

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<Queue>> active_;  // those with events
  TimePoint moved_{};                           // when something was watched for, or told, last
  TimePoint asleep_until_ = TimePoint::min();
  std::stop_source sleep_;

  std::vector<Told> told_;  // of this step; the stepping thread's
};

// The thread of a poller. Lifetime: what is pending when it is destroyed is still told, by the
// thread which goes on for itself until then: so is the memory of work that was cancelled given
// back once the device is done with it, and nobody waits for a kernel that hangs.
class PollingThread {
 public:
  explicit PollingThread(std::shared_ptr<CompletionPoller> poller);
  ~PollingThread();

 private:
  const std::shared_ptr<CompletionPoller> poller_;
  std::jthread thread_;
};

}  // namespace sluice
