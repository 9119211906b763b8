#include "sluice/runtime/lanes/lane_set.h"

#include "tests/runtime/lanes/lane_rig.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace sluice {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::LaneRig;
using testing::RigOptions;
using testing::SteppingClock;
using testing::tensor_of;
using testing::values_of;

// The sum and the difference of two tensors of floats.
class SumAndDifference final : public DeviceProgram {
 public:
  std::string_view name() const override { return "sum_and_difference"; }
  Result<Plan> plan(std::span<const Tensor> inputs) override {
    if (inputs.size() != 2 || !(inputs[0].shape() == inputs[1].shape())) {
      return invalid("infer.shape", "two tensors of one shape are wanted");
    }
    const TensorSpec like{DType::kF32, inputs[0].shape()};
    return Plan{{like, like}, 0, nullptr};
  }
  Status run(const Run& run) override {
    const auto a = run.inputs[0].span<float>(), b = run.inputs[1].span<float>();
    for (std::size_t i = 0; i < a.size(); ++i) {
      run.outputs[0].data<float>()[i] = a[i] + b[i];
      run.outputs[1].data<float>()[i] = a[i] - b[i];
    }
    return Status::ok();
  }
};

LaneOptions named(std::string node) {
  LaneOptions options;
  options.node = std::move(node);
  return options;
}

RigOptions shaped(std::size_t lanes, std::size_t slots, Duration timeout = 1s) {
  RigOptions options;
  options.lanes = lanes;
  options.slots = slots;
  options.timeout = timeout;
  return options;
}

struct Answer {
  Status status;
  std::vector<Tensor> outputs;
};

// Lanes with that program, on any device.
class LaneSetTest : public ::testing::Test {
 protected:
  void open(std::shared_ptr<Device> device) {
    lanes_ = std::move(*LaneSet::create(std::move(device), poller_,
                                        {std::make_shared<SumAndDifference>()}, named("sums")));
  }
  void open_sim(SimOptions options = {}) {
    sim_ = std::make_shared<SimDevice>(clock_, std::move(options));
    open(sim_);
  }
  static Tensor numbers(std::int64_t count, float value) {
    return tensor_of<float>({count}, std::vector<float>(static_cast<std::size_t>(count), value));
  }
  Answer ask(std::vector<Tensor> inputs, std::shared_ptr<MemoryBudget> budget = nullptr,
             std::vector<bool> stays = {}) {
    std::optional<Answer> answer;
    lanes_->submit({std::move(inputs),
                    std::move(budget),
                    [&](Status status, std::span<Tensor> outputs) {
                      answer = Answer{std::move(status), {outputs.begin(), outputs.end()}};
                    },
                    {},
                    std::move(stays)});
    while (!answer && !poller_->is_idle()) {
      if (poller_->step() == CompletionPoller::Turn::kAsked) clock_->advance(1us);
    }
    return answer ? *answer : Answer{internal("test.untold", "nobody was told"), {}};
  }

  const std::shared_ptr<SteppingClock> clock_ = std::make_shared<SteppingClock>();
  const std::shared_ptr<CompletionPoller> poller_ = std::make_shared<CompletionPoller>(clock_);
  std::shared_ptr<SimDevice> sim_;
  std::unique_ptr<LaneSet> lanes_;
};

TEST_F(LaneSetTest, GivesEachInputAndOutputItsPlace) {
  open_sim();

  const Answer answer = ask({tensor_of<float>({3}, {5, 6, 7}), tensor_of<float>({3}, {1, 2, 3})});

  ASSERT_THAT(answer.status, IsOk());
  ASSERT_EQ(answer.outputs.size(), 2u);
  EXPECT_THAT(values_of<float>(answer.outputs[0]), ElementsAre(6, 8, 10));
  EXPECT_THAT(values_of<float>(answer.outputs[1]), ElementsAre(4, 4, 4));
  EXPECT_EQ(answer.outputs[0].buffer().kind(), MemoryKind::kHost);
  EXPECT_THAT(sim_->races(), IsEmpty());
}

TEST_F(LaneSetTest, RunsOnTheHostAsWell) {
  open(std::shared_ptr<Device>(std::shared_ptr<void>(), &host_device()));

  const Answer answer = ask({tensor_of<float>({2}, {5, 6}), tensor_of<float>({2}, {1, 2})});

  ASSERT_THAT(answer.status, IsOk());
  EXPECT_THAT(values_of<float>(answer.outputs[0]), ElementsAre(6, 8));
}

TEST_F(LaneSetTest, TakesEmptyTensors) {
  open_sim();

  const Answer answer = ask({numbers(0, 0), numbers(0, 0)});

  ASSERT_THAT(answer.status, IsOk());
  EXPECT_EQ(answer.outputs[1].elements(), 0);
}

TEST_F(LaneSetTest, CopiesPinnedInputsFromWhereTheyAre) {
  open_sim();
  Buffer pinned = *sim_->allocate(MemoryKind::kPinned, 64, nullptr);
  Tensor input(DType::kF32, {4}, pinned, 16);
  for (float& value : input.span<float>()) value = 2;

  const Answer answer = ask({input, numbers(4, 1)});

  ASSERT_THAT(answer.status, IsOk());
  EXPECT_THAT(values_of<float>(answer.outputs[0]), ElementsAre(3, 3, 3, 3));
  input = Tensor();
  EXPECT_TRUE(pinned.is_unique()) << "the slot holds on to it";
  EXPECT_THAT(sim_->races(), IsEmpty());
}

TEST_F(LaneSetTest, FailsAnItemThatTheProgramDoesNotTake) {
  open_sim();

  const Answer answer = ask({numbers(3, 1), numbers(4, 1)});

  EXPECT_THAT(answer.status,
              FailsWith("infer.shape", "node `sums`, lane 0, operator `sum_and_difference`: two "));
  EXPECT_THAT(ask({numbers(3, 1), numbers(3, 1)}).status, IsOk());
  EXPECT_EQ(lanes_->stats().done, 1u);
  EXPECT_EQ(lanes_->stats().failed, 1u);
}

TEST_F(LaneSetTest, LeavesOutputsOnTheDeviceAndTakesThemFromThere) {
  open_sim();

  const Answer first = ask({numbers(4, 5), numbers(4, 1)}, nullptr, {false, true});
  ASSERT_THAT(first.status, IsOk());
  const Answer second = ask({first.outputs[1], numbers(4, 0.5F)});

  EXPECT_EQ(first.outputs[0].buffer().kind(), MemoryKind::kHost);
  EXPECT_EQ(first.outputs[1].buffer().kind(), MemoryKind::kCuda);
  ASSERT_THAT(second.status, IsOk());
  EXPECT_THAT(values_of<float>(second.outputs[0]), ElementsAre(4.5F, 4.5F, 4.5F, 4.5F));
  EXPECT_THAT(sim_->races(), IsEmpty());
}

TEST_F(LaneSetTest, UsesTheMemoryOfWhatStayedAgain) {
  open_sim();
  for (int i = 0; i < 3; ++i) ask({numbers(400, 5), numbers(400, 1)}, nullptr, {true, true});
  const std::uint64_t allocations = lanes_->stats().allocations;

  for (int i = 0; i < 20; ++i) {
    const Answer answer = ask({numbers(400, 5), numbers(400, 1)}, nullptr, {true, true});
    ASSERT_THAT(answer.status, IsOk());
  }

  EXPECT_EQ(lanes_->stats().allocations, allocations);
}

// What the pool keeps goes where memory of another size is wanted and the device has no more.
TEST_F(LaneSetTest, GivesBackWhatIsKeptWhenMemoryRunsOut) {
  SimOptions options;
  options.errors.memory_bytes = 400'000;
  open_sim(options);

  for (const std::int64_t count : {5'000, 7'000, 9'000, 8'000, 6'000}) {
    EXPECT_THAT(ask({numbers(count, 5), numbers(count, 1)}, nullptr, {true, true}).status, IsOk())
        << count;
  }
  const Answer kept = ask({numbers(9'000, 5), numbers(9'000, 1)}, nullptr, {true, true});
  EXPECT_THAT(ask({numbers(20'000, 5), numbers(20'000, 1)}, nullptr, {true, true}).status,
              FailsWith("memory.exhausted"));
  EXPECT_THAT(kept.status, IsOk());
}

TEST_F(LaneSetTest, TakesNothingWithGaps) {
  open_sim();
  const Tensor all = numbers(8, 1);
  const Tensor every_other(DType::kF32, {4}, Shape{2}, all.buffer(), 0);

  EXPECT_THAT(ask({every_other, numbers(4, 1)}).status, FailsWith("lane.input"));
}

TEST_F(LaneSetTest, SaysWhichCopyFailed) {
  SimOptions options;
  options.errors.failing_copies = {1, 4};
  open_sim(options);

  EXPECT_THAT(ask({numbers(4, 1), numbers(4, 1)}).status, FailsWith("device.copy", "copying in"));
  EXPECT_THAT(ask({numbers(4, 1), numbers(4, 1)}).status, FailsWith("device.copy", "copying out"));
  EXPECT_THAT(ask({numbers(4, 1), numbers(4, 1)}).status, IsOk());
}

TEST_F(LaneSetTest, AllocatesForTheLargestWorkAndThenNoMore) {
  open_sim();
  EXPECT_THAT(ask({numbers(10, 1), numbers(10, 1)}).status, IsOk());
  const std::uint64_t for_small = lanes_->stats().allocations;
  EXPECT_THAT(ask({numbers(1000, 1), numbers(1000, 1)}).status, IsOk());
  const std::uint64_t for_large = lanes_->stats().allocations;
  EXPECT_GT(for_large, for_small);

  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(ask({numbers(1000 - i, 1), numbers(1000 - i, 1)}).status, IsOk());
  }

  EXPECT_EQ(lanes_->stats().allocations, for_large);
  EXPECT_THAT(sim_->races(), IsEmpty());
}

TEST_F(LaneSetTest, AllocatesNothingWhatWasReserved) {
  open_sim();
  const std::vector<Tensor> largest{numbers(1000, 0), numbers(1000, 0)};
  EXPECT_THAT(lanes_->reserve(largest), IsOk());
  const std::uint64_t reserved = lanes_->stats().allocations;

  for (int i = 0; i < 10; ++i) EXPECT_THAT(ask(largest).status, IsOk());

  EXPECT_EQ(reserved, 8u);  // two slots, each with pinned and device memory in and out
  EXPECT_EQ(lanes_->stats().allocations, reserved);
}

TEST_F(LaneSetTest, FailsWorkThatTheDeviceHasNoMemoryFor) {
  SimOptions options;
  options.errors.memory_bytes = 10'000;
  open_sim(options);

  EXPECT_THAT(ask({numbers(1000, 1), numbers(1000, 1)}).status, FailsWith("memory.exhausted"));
  EXPECT_THAT(ask({numbers(100, 1), numbers(100, 1)}).status, IsOk());
}

TEST_F(LaneSetTest, ChargesOutputsToTheWorksBudget) {
  open_sim();
  const auto budget = std::make_shared<MemoryBudget>(1000);
  {
    const Answer answer = ask({numbers(100, 1), numbers(100, 1)}, budget);
    ASSERT_THAT(answer.status, IsOk());
    EXPECT_EQ(budget->used_bytes(), 800u);
  }
  EXPECT_EQ(budget->used_bytes(), 0u);

  EXPECT_THAT(ask({numbers(200, 1), numbers(200, 1)}, budget).status, FailsWith("memory.limit"));
  EXPECT_EQ(budget->used_bytes(), 0u);
}

TEST_F(LaneSetTest, CannotBeMadeOnALostDevice) {
  SimOptions options;
  options.errors.lost_at_launch = 1;
  open_sim(options);
  EXPECT_THAT(ask({numbers(4, 1), numbers(4, 1)}).status, FailsWith("device.lost"));

  EXPECT_THAT(LaneSet::create(sim_, poller_, {std::make_shared<SumAndDifference>()}, named("sums")),
              FailsWith("device.lost", "node `sums`, lane 0"));
}

// A device whose events cannot be recorded: nobody can tell when its work is over.
class NoEvents final : public Device {
 public:
  explicit NoEvents(std::shared_ptr<SimDevice> sim) : sim_(std::move(sim)) {}
  std::string name() const override { return "no events"; }
  MemoryKind memory() const override { return sim_->memory(); }
  Result<Buffer> allocate(MemoryKind kind, std::size_t size_bytes,
                          const std::shared_ptr<MemoryBudget>& budget) override {
    return sim_->allocate(kind, size_bytes, budget);
  }
  Result<std::unique_ptr<Stream>> new_stream() override {
    return std::unique_ptr<Stream>(std::make_unique<NoRecord>(std::move(*sim_->new_stream())));
  }
  Result<std::unique_ptr<Event>> new_event() override { return sim_->new_event(); }
  Status failure() const override { return sim_->failure(); }

 private:
  class NoRecord final : public Stream {
   public:
    explicit NoRecord(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
    Status record(Event&) override { return internal("device.event", "no"); }
    Status wait(const Event&) override { return Status::ok(); }
    Status copy(const BufferRange& from, const BufferRange& to) override {
      return stream_->copy(from, to);
    }
    Status launch(const Kernel& kernel) override { return stream_->launch(kernel); }

   private:
    std::unique_ptr<Stream> stream_;
  };
  std::shared_ptr<SimDevice> sim_;
};

TEST_F(LaneSetTest, GivesUpADeviceThatCannotSayWhenItIsDone) {
  sim_ = std::make_shared<SimDevice>(clock_, SimOptions());
  open(std::make_shared<NoEvents>(sim_));

  EXPECT_THAT(ask({numbers(4, 1), numbers(4, 1)}).status, FailsWith("device.event"));
  EXPECT_THAT(ask({numbers(4, 1), numbers(4, 1)}).status, FailsWith("device.event"));
  EXPECT_EQ(lanes_->stats().refused, 1u);
  lanes_.reset();

  EXPECT_THAT(sim_->races(), IsEmpty());
  EXPECT_GT(sim_->stats().allocated_bytes, 0u) << "the device may still use it";
}

TEST(LaneSet, LetsWorkWaitForASlotInItsOrder) {
  LaneRig rig(shaped(1, 2));

  for (int i = 0; i < 5; ++i) rig.submit();

  EXPECT_EQ(rig.lanes().stats().in_flight, 2u);
  EXPECT_EQ(rig.lanes().stats().waiting, 3u);
  EXPECT_TRUE(rig.run());
  EXPECT_EQ(rig.lanes().stats().in_flight, 0u);
  EXPECT_EQ(rig.lanes().stats().most_in_flight, 2u);
  EXPECT_THAT(rig.violations(), IsEmpty());
}

TEST(LaneSet, SpreadsWorkOverItsLanes) {
  RigOptions options = shaped(4, 2);
  options.sim.cost = [](const Kernel&) { return SimCost{100us, 0.25}; };
  LaneRig rig(options);

  for (int i = 0; i < 4; ++i) rig.submit();
  EXPECT_TRUE(rig.run());

  // Four kernels side by side, of which each would take that long alone.
  EXPECT_LT(rig.clock().now().time_since_epoch(), 200us);
}

TEST(LaneSet, SaysThatADeviceIsLost) {
  RigOptions options;
  options.sim.errors.lost_at_launch = 1;
  LaneRig rig(options);

  rig.submit();
  EXPECT_TRUE(rig.run());

  EXPECT_THAT(rig.told()[0].status,
              FailsWith("device.lost",
                        "node `tripler`, lane 0, operator `triple`: the simulated device stopped"));
}

TEST(LaneSet, SaysThatADeviceIsLostThoughItIsBeingDrained) {
  RigOptions options = shaped(1, 1);
  options.sim.errors.lost_at_launch = 1;
  LaneRig rig(options);
  for (int i = 0; i < 3; ++i) rig.submit();

  EXPECT_FALSE(rig.lanes().drain(rig.clock().now()));
  EXPECT_TRUE(rig.run());

  for (const LaneRig::Told& told : rig.told()) {
    EXPECT_THAT(told.status, FailsWith("device.lost"));
  }
}

TEST(LaneSet, SaysWhatIsOverdue) {
  RigOptions options = shaped(2, 2, 250ms);
  options.sim.errors.hung_launches = {1};
  options.sim.cost = [](const Kernel&) { return SimCost{100us, 0.5}; };  // leaves room for others
  LaneRig rig(options);

  for (int i = 0; i < 6; ++i) rig.submit();
  EXPECT_TRUE(rig.run());

  const LaneStats stats = rig.lanes().stats();
  EXPECT_EQ(stats.overdue, 2u);  // and the one behind it in the lane
  EXPECT_EQ(stats.stuck_lanes, 1u);
  EXPECT_EQ(stats.done, 4u);
  EXPECT_THAT(rig.told()[0].status, FailsWith("gpu.timeout", "not done 250 ms after"));
  rig.submit();
  EXPECT_TRUE(rig.run());
  EXPECT_THAT(rig.told()[6].status, IsOk()) << "the other lane goes on";
}

TEST(LaneSet, ClosesWhileAKernelHangs) {
  RigOptions options = shaped(1, 1, 1h);
  options.sim.errors.hung_launches = {1};
  LaneRig rig(options);
  for (int i = 0; i < 3; ++i) rig.submit();

  rig.destroy_lanes();

  for (const LaneRig::Told& told : rig.told()) {
    EXPECT_EQ(told.times, 1);
    EXPECT_THAT(told.status, FailsWith("lane.closed"));
  }
  EXPECT_GT(rig.sim().stats().allocated_bytes, 0u) << "the kernel may still write";
  rig.sim().end_hung();
  rig.settle();
  EXPECT_EQ(rig.sim().stats().allocated_bytes, 0u);
  EXPECT_THAT(rig.violations(), IsEmpty());
}

TEST(LaneSet, TakesNothingAfterItWasCancelled) {
  LaneRig rig({});
  rig.submit();
  rig.lanes().cancel(Status(Code::kCancelled, "run.aborted", "enough"));

  rig.submit();

  EXPECT_THAT(rig.told()[0].status, FailsWith("run.aborted"));
  EXPECT_THAT(rig.told()[1].status, FailsWith("run.aborted"));
  EXPECT_EQ(rig.lanes().stats().refused, 1u);
}

}  // namespace
}  // namespace sluice
