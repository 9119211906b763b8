#include "sluice/core/clock.h"

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(VirtualClock, StandsStillUntilItIsMoved) {
  VirtualClock clock;
  const TimePoint start = clock.now();

  clock.advance(5ms);

  EXPECT_EQ(clock.now() - start, 5ms);
}

TEST(VirtualClock, RunsTimersInOrderOfTimeAtTheirTime) {
  VirtualClock clock;
  const TimePoint start = clock.now();
  std::string order;
  clock.call_at(start + 2ms, [&] { order += "b"; });
  clock.call_at(start + 1ms, [&] {
    order += "a";
    EXPECT_EQ(clock.now() - start, 1ms);
    clock.call_at(start + 3ms, [&] { order += "c"; });
  });
  clock.call_at(start + 9ms, [&] { order += "late"; });

  clock.advance(5ms);

  EXPECT_EQ(order, "abc");
}

TEST(VirtualClock, ForgetsACancelledTimer) {
  VirtualClock clock;
  bool ran = false;
  const auto id = clock.call_at(clock.now() + 1ms, [&] { ran = true; });

  clock.cancel(id);
  clock.advance(1s);

  EXPECT_FALSE(ran);
  EXPECT_FALSE(clock.advance_to_next());
}

TEST(VirtualClock, JumpsToTheNextTimer) {
  VirtualClock clock;
  const TimePoint start = clock.now();
  bool ran = false;
  clock.call_at(start + 1h, [&] { ran = true; });

  EXPECT_TRUE(clock.advance_to_next());

  EXPECT_TRUE(ran);
  EXPECT_EQ(clock.now() - start, 1h);
}

TEST(VirtualClock, WakesASleeperWhenItsTimeComes) {
  VirtualClock clock;
  const TimePoint when = clock.now() + 1s;
  auto reached = std::async(std::launch::async, [&] { return clock.sleep_until(when, {}); });

  clock.advance(1s);

  EXPECT_TRUE(reached.get());
}

TEST(VirtualClock, EndsASleepWhenStopIsRequested) {
  VirtualClock clock;
  std::stop_source stop;
  auto reached = std::async(std::launch::async,
                            [&] { return clock.sleep_until(clock.now() + 1s, stop.get_token()); });

  stop.request_stop();

  EXPECT_FALSE(reached.get());
}

TEST(SystemClock, RunsATimerOnItsOwnThread) {
  std::promise<std::thread::id> ran;

  Clock::system()->call_at(Clock::system()->now(),
                           [&] { ran.set_value(std::this_thread::get_id()); });

  EXPECT_NE(ran.get_future().get(), std::this_thread::get_id());
}

TEST(SystemClock, RunsTheEarlierTimerFirstWhicheverWasSetFirst) {
  const auto& clock = Clock::system();
  const TimePoint start = clock->now();
  std::string order;
  std::promise<void> both_set;
  std::promise<void> done;
  clock->call_at(start, [&] { both_set.get_future().wait(); });
  clock->call_at(start + 2us, [&] {
    order += "late";
    done.set_value();
  });
  clock->call_at(start + 1us, [&] { order += "early "; });
  both_set.set_value();

  done.get_future().wait();

  EXPECT_EQ(order, "early late");
}

TEST(SystemClock, CancelWaitsForATimerThatRuns) {
  const auto& clock = Clock::system();
  std::promise<void> started;
  std::promise<void> go_on;
  std::atomic<bool> finished = false;
  const auto id = clock->call_at(clock->now(), [&] {
    started.set_value();
    go_on.get_future().wait();
    finished = true;
  });
  started.get_future().wait();
  go_on.set_value();

  clock->cancel(id);

  EXPECT_TRUE(finished);
}

TEST(SystemClock, ForgetsACancelledTimer) {
  const auto& clock = Clock::system();
  const auto id = clock->call_at(clock->now() + 1h, [] { FAIL(); });

  clock->cancel(id);
}

TEST(SystemClock, EndsASleepWhenStopIsRequested) {
  std::stop_source stop;
  stop.request_stop();

  EXPECT_FALSE(Clock::system()->sleep_until(Clock::system()->now() + 1h, stop.get_token()));
  EXPECT_TRUE(Clock::system()->sleep_until(Clock::system()->now(), stop.get_token()));
}

}  // namespace
}  // namespace sluice
