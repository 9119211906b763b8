#include "sluice/runtime/scheduler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <list>
#include <string>
#include <thread>
#include <vector>

namespace sluice {
namespace {

struct Work final : Runnable {
  explicit Work(std::function<void()> call, std::uint64_t cost_ns = 0)
      : body(std::move(call)), cost(cost_ns) {}
  void run() override { body(); }
  std::uint64_t expected_ns() const override { return cost; }
  std::function<void()> body;
  std::uint64_t cost;
};

TEST(Scheduler, IsIdleOnlyWhenItHasToldSo) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<bool> told = false;
    Scheduler scheduler(2, [&] {
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      told = true;
    });
    const std::size_t node = scheduler.add_node();
    Work work([] {});
    scheduler.submit(node, work);
    scheduler.wait_idle();
    EXPECT_TRUE(told);
  }
}

TEST(Scheduler, TellsAgainAfterWorkThatWasSubmittedWhileItTold) {
  int told = 0;
  std::atomic<int> ran = 0;
  Work second([&] { ++ran; });
  Scheduler* scheduler = nullptr;
  std::size_t node = 0;
  Scheduler pool(2, [&] {
    if (++told == 1) scheduler->submit(node, second);
  });
  scheduler = &pool;
  node = pool.add_node();
  Work first([&] { ++ran; });
  pool.submit(node, first);
  pool.wait_idle();

  EXPECT_EQ(ran, 2);
  EXPECT_EQ(told, 2);
}

TEST(Scheduler, RunsWhatWorkSubmitsHoweverMuch) {
  std::atomic<int> ran = 0;
  Scheduler pool(2, [] {});
  const std::size_t node = pool.add_node();
  std::vector<Work> children;
  children.reserve(100);
  for (int i = 0; i < 100; ++i)
    children.emplace_back([&] { ++ran; }, i % 3 == 0 ? 2 * Scheduler::kHeavyNs : 0);
  Work parent([&] {
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (i % 2 == 0)
        pool.submit(node, children[i]);
      else
        pool.resubmit(node, children[i]);
    }
  });
  pool.submit(node, parent);
  pool.wait_idle();
  EXPECT_EQ(ran, 100);
}

TEST(Scheduler, WaitsForWorkOnOtherThreads) {
  Scheduler pool(1, [] {});
  pool.begin_external();
  std::atomic<bool> ended = false;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    ended = true;
    pool.end_external();
  });
  pool.wait_idle();
  EXPECT_TRUE(ended);
  other.join();
}

// What one work keeps before it goes on with something long, on a pool of one thread.
TEST(Scheduler, RunsWhatIsShortBeforeALongCallAndOffersTheRest) {
  std::vector<std::string> order;
  Scheduler pool(1, [] {});
  const std::size_t node = pool.add_node();
  Work unknown([&] { order.push_back("unknown"); }, 0);
  Work first([&] { order.push_back("first"); }, 3'000);
  Work second([&] { order.push_back("second"); }, 3'000);  // with the first too much
  Work third([&] { order.push_back("third"); }, 1'000);
  Work caller([&] {
    for (Work* kept : {&unknown, &first, &second, &third}) pool.submit(node, *kept);
    EXPECT_GT(pool.before_heavy(), 0u);
    order.push_back("long call");
    EXPECT_EQ(pool.before_heavy(), 0u);
  });
  pool.submit(node, caller);
  pool.wait_idle();

  ASSERT_EQ(order.size(), 5u);
  EXPECT_EQ(order[0], "first");
  EXPECT_EQ(order[1], "third");
  EXPECT_EQ(order[2], "long call");
}

TEST(Scheduler, HasAThreadOfItsOwnHoweverManyThereAre) {
  // Each one's work ends when the works of all have begun.
  constexpr int kSchedulers = 5;
  std::latch begun(kSchedulers);
  std::list<Scheduler> pools;
  std::list<Work> works;
  for (int i = 0; i < kSchedulers; ++i) {
    pools.emplace_back(1, [] {});
    works.emplace_back([&begun] { begun.arrive_and_wait(); });
    pools.back().submit(pools.back().add_node(), works.back());
  }
  for (Scheduler& pool : pools) pool.wait_idle();
  EXPECT_TRUE(begun.try_wait());
}

}  // namespace
}  // namespace sluice
