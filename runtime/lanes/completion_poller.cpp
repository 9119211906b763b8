#include "sluice/runtime/lanes/completion_poller.h"

#include "sluice/runtime/lanes/keep_forever.h"
#include "sluice/runtime/worker_threads.h"

#include <sys/prctl.h>

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

// Between two looks. Making way for others instead would be for as long as their time slice, where
// all cores are busy, and the device would wait for so long.
void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

constexpr Duration kForGood = std::chrono::hours(24);
// A nap that ends soon is not worth the 16 us that waking its sleeper costs.
constexpr Duration kWorthWaking = std::chrono::microseconds(50);

// What Linux adds to a sleep is 50 us, if it is not asked for less.
constexpr unsigned long kTimerSlackNs = 1'000;

}  // namespace

class CompletionPoller::Queue {
 public:
  explicit Queue(Duration limit) : timeout(limit) {}

  const Duration timeout;
  Fifo<Watched> events;
  std::size_t overdue = 0;  // of the oldest, so many have been told so
  TimePoint since{};        // when the first of the others became the oldest
};

CompletionPoller::CompletionPoller(std::shared_ptr<Clock> clock, Pace pace)
    : clock_(std::move(clock)), pace_(pace) {}

CompletionPoller::~CompletionPoller() {
  for (const auto& queue : active_) {
    for (std::size_t i = 0; i < queue->events.size(); ++i) {
      const Result<bool> done = queue->events[i].event->is_done();
      if (done.is_ok() && !*done) keep_forever(std::move(queue->events[i].watcher));
    }
  }
}

std::shared_ptr<CompletionPoller::Queue> CompletionPoller::new_queue(Duration timeout) const {
  return std::make_shared<Queue>(timeout);
}

void CompletionPoller::watch(const std::shared_ptr<Queue>& queue, Event& event,
                             std::shared_ptr<Watcher> watcher) {
  std::stop_source sleep(std::nostopstate);
  {
    const std::scoped_lock lock(mutex_);
    const TimePoint now = clock_->now();
    if (queue->events.empty()) active_.push_back(queue);
    if (queue->events.size() == queue->overdue) queue->since = now;
    queue->events.push_back({&event, std::move(watcher)});
    moved_ = now;
    if (asleep_until_ > now + kWorthWaking) sleep = sleep_;
  }
  sleep.request_stop();
}

CompletionPoller::Turn CompletionPoller::step() {
  std::unique_lock lock(mutex_);
  const TimePoint now = clock_->now();
  for (const auto& queue : active_) ask(*queue, now);
  std::erase_if(active_, [](const auto& queue) { return queue->events.empty(); });
  if (told_.empty()) return sleep(lock, now);
  moved_ = now;
  lock.unlock();
  for (Told& told : told_) {
    if (told.is_overdue) {
      told.watcher->on_overdue();
    } else {
      told.watcher->on_done(std::move(told.status));
    }
    told.watcher.reset();
  }
  told_.clear();
  return Turn::kTold;
}

void CompletionPoller::ask(Queue& queue, TimePoint now) {
  while (!queue.events.empty()) {
    Watched& oldest = queue.events.front();
    const Result<bool> done = oldest.event->is_done();
    if (done.is_ok() && !*done) break;
    told_.push_back({std::move(oldest.watcher), done.status(), false});
    queue.events.pop_front();
    if (queue.overdue > 0) --queue.overdue;
    queue.since = now;
  }
  if (queue.events.size() > queue.overdue && now - queue.since >= queue.timeout) {
    told_.push_back({queue.events[queue.overdue].watcher, Status::ok(), true});
    ++queue.overdue;
    queue.since = now;
  }
}

CompletionPoller::Turn CompletionPoller::sleep(std::unique_lock<std::mutex>& lock, TimePoint now) {
  if (sleep_.stop_requested()) {
    sleep_ = std::stop_source();
    return Turn::kAsked;
  }
  const Duration waited = now - moved_;
  if (!active_.empty() && waited < pace_.spin) return Turn::kAsked;
  asleep_until_ = now + (active_.empty() ? kForGood
                                         : std::clamp<Duration>(waited / 16, pace_.shortest_nap,
                                                                pace_.longest_nap));
  const TimePoint until = asleep_until_;
  const std::stop_token token = sleep_.get_token();
  lock.unlock();
  clock_->sleep_until(until, token);
  lock.lock();
  asleep_until_ = TimePoint::min();
  return Turn::kSlept;
}

void CompletionPoller::wake() {
  std::stop_source sleep(std::nostopstate);
  {
    const std::scoped_lock lock(mutex_);
    sleep = sleep_;
  }
  sleep.request_stop();
}

bool CompletionPoller::is_idle() const {
  const std::scoped_lock lock(mutex_);
  return active_.empty();
}

PollingThread::PollingThread(std::shared_ptr<CompletionPoller> poller)
    : poller_(poller), thread_([poller = std::move(poller)](const std::stop_token& stop) {
        name_this_thread("lanes");
        prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
        const std::stop_callback wake(stop, [&] { poller->wake(); });
        while (!stop.stop_requested() || !poller->is_idle()) {
          if (poller->step() == CompletionPoller::Turn::kAsked) relax();
        }
      }) {}

PollingThread::~PollingThread() {
  thread_.request_stop();
  if (!poller_->is_idle()) thread_.detach();
}

}  // namespace sluice
