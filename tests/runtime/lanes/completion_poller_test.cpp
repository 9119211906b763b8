#include "sluice/runtime/lanes/completion_poller.h"

#include "tests/runtime/lanes/stepping_clock.h"
#include "tests/support/status_matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace sluice {
namespace {

using namespace std::chrono_literals;
using testing::FailsWith;
using testing::IsOk;
using testing::SteppingClock;
using Turn = CompletionPoller::Turn;

class FakeEvent final : public Event {
 public:
  Result<bool> is_done() override {
    ++asked;
    if (!failure.is_ok()) return failure;
    return done.load();
  }
  std::atomic<int> asked = 0;
  std::atomic<bool> done = false;
  Status failure;
};

// Something with an event, which writes down what it is told.
struct Work final : CompletionPoller::Watcher {
  Work(std::string work_name, std::string& work_log) : name(std::move(work_name)), log(work_log) {}
  void on_done(Status with) override {
    log += name;
    status = std::move(with);
    told = true;
  }
  void on_overdue() override { log += name + "!"; }

  const std::string name;
  std::string& log;
  FakeEvent event;
  Status status;
  std::atomic<bool> told = false;
};

class CompletionPollerTest : public ::testing::Test {
 protected:
  using Queue = std::shared_ptr<CompletionPoller::Queue>;

  std::shared_ptr<Work> watch(const Queue& queue, const std::string& name) {
    const auto work = std::make_shared<Work>(name, log_);
    poller_.watch(queue, work->event, work);
    return work;
  }

  const std::shared_ptr<SteppingClock> clock_ = std::make_shared<SteppingClock>();
  CompletionPoller poller_{clock_};
  std::string log_;
};

TEST_F(CompletionPollerTest, TellsInTheOrderOfEachQueue) {
  const Queue first = poller_.new_queue(1s), second = poller_.new_queue(1s);
  const auto a = watch(first, "a"), b = watch(first, "b"), c = watch(second, "c");

  for (const auto& work : {b, c}) work->event.done = true;
  EXPECT_EQ(poller_.step(), Turn::kTold);
  EXPECT_EQ(log_, "c");
  a->event.done = true;
  EXPECT_EQ(poller_.step(), Turn::kTold);

  EXPECT_EQ(log_, "cab");
  EXPECT_TRUE(poller_.is_idle());
}

TEST_F(CompletionPollerTest, AsksTheOldestOnly) {
  const Queue queue = poller_.new_queue(1s);
  const auto a = watch(queue, "a"), b = watch(queue, "b");

  for (int i = 0; i < 5; ++i) poller_.step();

  EXPECT_EQ(a->event.asked, 5);
  EXPECT_EQ(b->event.asked, 0);
}

TEST_F(CompletionPollerTest, TellsOfFailures) {
  const Queue queue = poller_.new_queue(1s);
  const auto a = watch(queue, "a"), b = watch(queue, "b");
  a->event.failure = internal("kernel.failed", "no");
  b->event.done = true;

  poller_.step();

  EXPECT_EQ(log_, "ab");
  EXPECT_THAT(a->status, FailsWith("kernel.failed"));
  EXPECT_THAT(b->status, IsOk());
}

TEST_F(CompletionPollerTest, AsksMoreRarelyTheLongerItWaits) {
  const Queue queue = poller_.new_queue(10s);
  const auto work = watch(queue, "a");
  const TimePoint start = clock_->now();
  const auto asked_until = [&](Duration time) {
    while (clock_->now() - start < time) {
      if (poller_.step() == Turn::kAsked) clock_->advance(1us);
    }
    return work->event.asked.exchange(0);
  };

  EXPECT_EQ(asked_until(20us), 20);         // it spins
  EXPECT_EQ(asked_until(120us), 10);        // short naps
  EXPECT_LT(asked_until(20ms), 100);        // a share of what it has waited
  EXPECT_NEAR(asked_until(120ms), 100, 1);  // but no more than a millisecond
}

TEST_F(CompletionPollerTest, IsLateByAShareOfTheWorkAtMost) {
  for (const Duration time : {Duration(50us), Duration(500us), Duration(5ms)}) {
    const Queue queue = poller_.new_queue(10s);
    const auto work = watch(queue, "a");
    const TimePoint due = clock_->now() + time;
    clock_->call_at(due, [&] { work->event.done = true; });

    while (!work->told) {
      if (poller_.step() == Turn::kAsked) clock_->advance(1us);
    }

    EXPECT_LE(clock_->now() - due, std::max<Duration>(10us, time / 16));
  }
}

TEST_F(CompletionPollerTest, SpinsAgainWhenSomethingMoves) {
  const Queue queue = poller_.new_queue(10s);
  const auto a = watch(queue, "a");
  clock_->advance(1ms);
  EXPECT_EQ(poller_.step(), Turn::kSlept);

  const auto b = watch(queue, "b");

  EXPECT_EQ(poller_.step(), Turn::kAsked);
}

TEST_F(CompletionPollerTest, SaysOnceOfEachThatItIsOverdue) {
  const Queue queue = poller_.new_queue(10ms);
  const auto a = watch(queue, "a"), b = watch(queue, "b");
  const auto wait = [&](Duration time) {
    const TimePoint until = clock_->now() + time;
    while (clock_->now() < until) {
      if (poller_.step() == Turn::kAsked) clock_->advance(1us);
    }
  };

  wait(9ms);
  EXPECT_EQ(log_, "");
  wait(2ms);
  EXPECT_EQ(log_, "a!");
  wait(8ms);  // b has its own time from then on
  EXPECT_EQ(log_, "a!");
  wait(30ms);
  EXPECT_EQ(log_, "a!b!");
  for (const auto& work : {a, b}) work->event.done = true;
  wait(2ms);
  EXPECT_EQ(log_, "a!b!ab");
}

TEST_F(CompletionPollerTest, GivesAnEventItsTimeFromWhenItIsTheOldest) {
  const Queue queue = poller_.new_queue(10ms);
  const auto a = watch(queue, "a"), b = watch(queue, "b");
  clock_->advance(9ms);
  a->event.done = true;
  poller_.step();

  clock_->advance(9ms);
  poller_.step();
  EXPECT_EQ(log_, "a");
  clock_->advance(1ms);
  poller_.step();

  EXPECT_EQ(log_, "ab!");
}

TEST_F(CompletionPollerTest, LetsAWatcherWatchAnew) {
  struct Again final : CompletionPoller::Watcher {
    void on_done(Status) override {
      if (++told < 3) poller->watch(queue, event, self.lock());
    }
    void on_overdue() override {}
    CompletionPoller* poller = nullptr;
    Queue queue;
    FakeEvent event;
    std::weak_ptr<Again> self;
    int told = 0;
  };
  const auto work = std::make_shared<Again>();
  work->self = work;
  work->poller = &poller_;
  work->queue = poller_.new_queue(1s);
  work->event.done = true;
  poller_.watch(work->queue, work->event, work);

  while (!poller_.is_idle()) poller_.step();

  EXPECT_EQ(work->told, 3);
}

TEST(CompletionPoller, KeepsWhatADeviceMayStillWrite) {
  std::string log;
  std::weak_ptr<Work> written, done;
  {
    CompletionPoller poller(std::make_shared<SteppingClock>());
    const auto a = std::make_shared<Work>("a", log), b = std::make_shared<Work>("b", log);
    poller.watch(poller.new_queue(1s), a->event, a);
    poller.watch(poller.new_queue(1s), b->event, b);
    b->event.done = true;
    written = a;
    done = b;
  }

  EXPECT_FALSE(written.expired());
  EXPECT_TRUE(done.expired());
}

// The thread itself: asleep until something is watched for, and gone when it is told to.
TEST(PollingThread, TellsAndEnds) {
  std::string log;
  const auto clock = std::make_shared<VirtualClock>();
  const auto poller = std::make_shared<CompletionPoller>(clock);
  const auto work = std::make_shared<Work>("a", log);
  {
    const PollingThread thread(poller);
    for (int i = 0; i < 100; ++i) std::this_thread::yield();
    poller->watch(poller->new_queue(1h), work->event, work);
    clock->advance(500us);
    work->event.done = true;
    while (!work->told) {
      clock->advance(100us);
      std::this_thread::yield();
    }
  }

  EXPECT_EQ(log, "a");
}

TEST(PollingThread, EndsWhileItSleeps) {
  const PollingThread thread(std::make_shared<CompletionPoller>(std::make_shared<VirtualClock>()));
  for (int i = 0; i < 100; ++i) std::this_thread::yield();
}

TEST(PollingThread, GoesOnForItselfUntilNothingIsPending) {
  std::string log;
  const auto clock = std::make_shared<VirtualClock>();
  const auto work = std::make_shared<Work>("a", log);
  std::weak_ptr<CompletionPoller> poller;
  {
    const auto made = std::make_shared<CompletionPoller>(clock);
    const PollingThread thread(made);
    made->watch(made->new_queue(1h), work->event, work);
    poller = made;
  }
  EXPECT_FALSE(poller.expired());

  work->event.done = true;
  while (!work->told || !poller.expired()) {
    clock->advance(100us);
    std::this_thread::yield();
  }

  EXPECT_EQ(log, "a");
}

}  // namespace
}  // namespace sluice
