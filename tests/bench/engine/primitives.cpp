// What the machine and the scheduler charge for their own smallest deeds, so that the engine's
// times can be given as ratios to them.
#include "tests/bench/engine/workload.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace sluice::bench {
namespace {

constexpr int kRounds = 21;

template <class Deed>
double median_ns(int times, const Deed& deed) {
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const std::int64_t started = now_ns();
    deed(times);
    rounds.push_back(static_cast<double>(now_ns() - started) / times);
  }
  return percentile(std::move(rounds), 0.5);
}

double atomic_add_ns() {
  std::atomic<std::uint64_t> counter{0};
  return median_ns(200'000, [&](int times) {
    for (int i = 0; i < times; ++i) counter.fetch_add(1, std::memory_order_acq_rel);
  });
}

// In an arena of one thread: whether another one steals would make it two figures.
double spawn_and_run_ns() {
  tbb::task_arena arena(1);
  std::atomic<std::uint64_t> ran{0};
  return median_ns(50'000, [&](int times) {
    arena.execute([&] {
      tbb::task_group group;
      for (int i = 0; i < times; ++i) {
        group.run([&ran] { ran.fetch_add(1, std::memory_order_relaxed); });
        if (i % 64 == 63) group.wait();
      }
      group.wait();
    });
  });
}

// A thread that sleeps on a word and is woken again and again, once it sleeps for sure.
class Sleeper {
 public:
  struct Wake {
    double waker_ns;    // what the call costs who wakes
    double sleeper_ns;  // from before the call until the sleeper runs
  };

  Wake wake() {
    const timespec until_asleep{0, 1'000'000};
    nanosleep(&until_asleep, nullptr);
    const std::int64_t started = now_ns();
    const std::uint32_t turn = word_.fetch_add(1, std::memory_order_release) + 1;
    call(FUTEX_WAKE_PRIVATE, 1);
    const std::int64_t called = now_ns();
    while (seen_.load(std::memory_order_acquire) != turn) std::this_thread::yield();
    return {static_cast<double>(called - started),
            static_cast<double>(ran_at_ns_.load(std::memory_order_relaxed) - started)};
  }
  ~Sleeper() {
    leaving_.store(true, std::memory_order_relaxed);
    word_.fetch_add(1, std::memory_order_release);
    call(FUTEX_WAKE_PRIVATE, 1);
  }

 private:
  void call(int operation, std::uint32_t value) {
    syscall(SYS_futex, &word_, operation, value, nullptr, nullptr, 0);
  }
  void sleep_and_run() {
    for (std::uint32_t turn = 0; !leaving_.load(std::memory_order_relaxed);) {
      while (word_.load(std::memory_order_acquire) == turn) call(FUTEX_WAIT_PRIVATE, turn);
      ran_at_ns_.store(now_ns(), std::memory_order_relaxed);
      turn = word_.load(std::memory_order_acquire);
      seen_.store(turn, std::memory_order_release);
    }
  }

  std::atomic<std::uint32_t> word_{0};
  std::atomic<std::uint32_t> seen_{0};
  std::atomic<std::int64_t> ran_at_ns_{0};
  std::atomic<bool> leaving_{false};
  std::jthread thread_{[this] { sleep_and_run(); }};
};

Sleeper::Wake median_wake() {
  constexpr int kWakes = 200;
  Sleeper sleeper;
  std::vector<double> waker;
  std::vector<double> woken;
  for (int i = 0; i < kWakes; ++i) {
    const Sleeper::Wake wake = sleeper.wake();
    waker.push_back(wake.waker_ns);
    woken.push_back(wake.sleeper_ns);
  }
  return {percentile(std::move(waker), 0.5), percentile(std::move(woken), 0.5)};
}

}  // namespace
}  // namespace sluice::bench

int main() {
  using namespace sluice::bench;
  const double add = atomic_add_ns();
  const double spawn = spawn_and_run_ns();
  const Sleeper::Wake wake = median_wake();
  print_figures({{"atomic_add_ns", add},
                 {"spawn_and_run_ns", spawn},
                 {"wake_waker_ns", wake.waker_ns},
                 {"wake_sleeper_ns", wake.sleeper_ns}});
}
