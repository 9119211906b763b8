#include "sluice/runtime/lanes/lane_set.h"

#include "tests/runtime/lanes/lane_rig.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <thread>

// Lanes with all their threads: those that submit, the polling one, an executor's, and one that
// makes virtual time go by.

namespace sluice {
namespace {

using namespace std::chrono_literals;
using testing::FailsWith;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::ProgramLog;
using testing::tensor_of;
using testing::TriplingProgram;

// Runs what it is given on threads of its own; all of it, before it goes.
class Executor {
 public:
  explicit Executor(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { loop(); });
  }
  ~Executor() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    came_.notify_all();
  }
  void execute(Runnable& work) {
    {
      const std::scoped_lock lock(mutex_);
      EXPECT_FALSE(stopping_);
      queue_.push_back(&work);
    }
    came_.notify_one();
  }

 private:
  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      came_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      Runnable& work = *queue_.front();
      queue_.pop_front();
      lock.unlock();
      work.run();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Runnable*> queue_;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

struct Told {
  std::atomic<int> times = 0;
  std::atomic<bool> is_ok = false;
  std::atomic<bool> is_right = false;
};

enum class Ends { kOnThePollingThread, kOnAnExecutor };

class LaneThreads : public ::testing::TestWithParam<Ends> {
 protected:
  static constexpr std::int64_t kElements = 64;

  void open(SimOptions sim_options) {
    sim_options.jitter = 1.0;
    sim_ = std::make_shared<SimDevice>(clock_, std::move(sim_options));
    LaneOptions options;
    options.node = "tripler";
    options.timeout = 1h;
    if (GetParam() == Ends::kOnAnExecutor) {
      options.executor = [this](Runnable& work) { executor_.execute(work); };
    }
    const auto log = std::make_shared<ProgramLog>();
    std::vector<std::shared_ptr<DeviceProgram>> programs;
    for (int i = 0; i < 2; ++i) {
      programs.push_back(
          std::make_shared<TriplingProgram>(kElements, TriplingProgram::Items(), log));
    }
    lanes_ = std::move(*LaneSet::create(sim_, poller_, std::move(programs), std::move(options)));
  }

  void submit(int item) {
    LaneWork work;
    work.inputs.push_back(
        tensor_of<std::int32_t>({kElements}, std::vector<std::int32_t>(kElements, item)));
    work.done = [this, item](Status status, std::span<Tensor> outputs) {
      Told& told = told_[static_cast<std::size_t>(item)];
      ++told.times;
      told.is_ok = status.is_ok();
      told.is_right = outputs.size() == 1 && outputs[0].data<std::int32_t>()[1] == 3 * item + 1;
    };
    lanes_->submit(std::move(work));
  }

  void submit_from_threads(int threads, int each) {
    std::vector<std::jthread> callers;
    for (int t = 0; t < threads; ++t) {
      callers.emplace_back([this, t, each] {
        for (int i = 0; i < each; ++i) submit(t * each + i);
      });
    }
  }

  const std::shared_ptr<VirtualClock> clock_ = std::make_shared<VirtualClock>();
  std::vector<Told> told_{400};  // by item
  const std::shared_ptr<CompletionPoller> poller_ = std::make_shared<CompletionPoller>(clock_);
  std::shared_ptr<SimDevice> sim_;
  Executor executor_{2};
  std::unique_ptr<LaneSet> lanes_;
  const std::jthread ticking_{[this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      clock_->advance(5us);
      std::this_thread::yield();
    }
  }};
  const PollingThread polling_{poller_};
};

TEST_P(LaneThreads, TellEachCallerOnce) {
  open({});

  submit_from_threads(4, 50);
  EXPECT_TRUE(lanes_->drain(TimePoint::max()));

  for (int item = 0; item < 200; ++item) {
    EXPECT_EQ(told_[static_cast<std::size_t>(item)].times, 1);
    EXPECT_TRUE(told_[static_cast<std::size_t>(item)].is_right);
  }
  EXPECT_LE(lanes_->stats().most_in_flight, 4u);
  EXPECT_THAT(sim_->races(), IsEmpty());
}

TEST_P(LaneThreads, TellEachCallerOfALostDeviceOnce) {
  SimOptions options;
  options.errors.lost_at_launch = 60;
  open(options);

  submit_from_threads(4, 50);
  EXPECT_TRUE(lanes_->drain(TimePoint::max()));

  int well = 0;
  for (int item = 0; item < 200; ++item) {
    const Told& told = told_[static_cast<std::size_t>(item)];
    EXPECT_EQ(told.times, 1);
    EXPECT_EQ(told.is_ok, told.is_right);
    well += told.is_ok ? 1 : 0;
  }
  // Of the four in flight with it some may have been done, and some of those before not yet told.
  EXPECT_LT(well, 60 + 3);
  EXPECT_GE(well, 60 - 4);
}

TEST_P(LaneThreads, DrainWhatWaitsAndTakeNoMore) {
  open({});
  for (int item = 0; item < 30; ++item) submit(item);

  EXPECT_TRUE(lanes_->drain(TimePoint::max()));
  submit(30);

  for (int item = 0; item < 30; ++item) {
    EXPECT_TRUE(told_[static_cast<std::size_t>(item)].is_right);
  }
  EXPECT_EQ(told_[30].times, 1);
  EXPECT_FALSE(told_[30].is_ok);
  EXPECT_TRUE(lanes_->drain(TimePoint::max())) << "again";
}

TEST_P(LaneThreads, EndADrainThatTakesTooLong) {
  SimOptions options;
  options.errors.hung_launches = {1};
  open(options);
  submit(0);

  EXPECT_FALSE(lanes_->drain(clock_->now() + 1ms));
  lanes_.reset();

  EXPECT_EQ(told_[0].times, 1);
  sim_->end_hung();
  while (!poller_->is_idle()) std::this_thread::yield();
  while (sim_->stats().allocated_bytes > 0) std::this_thread::yield();
  EXPECT_THAT(sim_->races(), IsEmpty());
}

TEST_P(LaneThreads, MayBeDestroyedAtAnyTime) {
  for (int round = 0; round < 40; ++round) {
    open({});
    for (Told& told : told_) told.times = 0;
    for (int item = 0; item < 12; ++item) submit(item);
    for (int i = 0; i < round * 5; ++i) std::this_thread::yield();

    lanes_.reset();

    for (int item = 0; item < 12; ++item) {
      EXPECT_EQ(told_[static_cast<std::size_t>(item)].times, 1);
    }
    while (!poller_->is_idle()) std::this_thread::yield();
    EXPECT_THAT(sim_->races(), IsEmpty());
  }
}

TEST_P(LaneThreads, MayBeCancelledWhileOthersSubmit) {
  open({});

  std::jthread canceller([&] {
    while (lanes_->stats().done < 20) std::this_thread::yield();
    lanes_->cancel(Status(Code::kCancelled, "run.aborted", "enough"));
  });
  submit_from_threads(4, 50);
  canceller.join();
  lanes_.reset();

  for (int item = 0; item < 200; ++item) {
    EXPECT_EQ(told_[static_cast<std::size_t>(item)].times, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Ends, LaneThreads,
                         ::testing::Values(Ends::kOnThePollingThread, Ends::kOnAnExecutor),
                         [](const auto& info) {
                           return info.param == Ends::kOnAnExecutor ? "OnAnExecutor"
                                                                    : "OnThePollingThread";
                         });

}  // namespace
}  // namespace sluice
