#include "sluice/runtime/lanes/chain_program.h"

#include "sluice/runtime/lanes/lane_set.h"
#include "sluice/runtime/lanes/sim_device.h"

#include "tests/runtime/lanes/stepping_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace sluice {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::SteppingClock;
using testing::tensor_of;
using testing::values_of;

// Its input plus a number, and the input's sum, by way of an arena that it fills.
class Adding final : public DeviceProgram {
 public:
  Adding(float number, std::size_t arena_floats, std::string_view name = "add")
      : number_(number), arena_bytes_(arena_floats * sizeof(float)), name_(name) {}

  std::string_view name() const override { return name_; }
  Result<Plan> plan(std::span<const Tensor> inputs) override {
    if (inputs[0].elements() == 13) return invalid("infer.shape", "not thirteen");
    return Plan{{{DType::kF32, inputs[0].shape()}, {DType::kF32, {1}}}, arena_bytes_, nullptr};
  }
  Status run(const Run& run) override {
    const auto numbers = run.inputs[0].span<float>();
    if (numbers[0] == 666) return internal("test.failed", "that number");
    EXPECT_EQ(run.arena.size_bytes, arena_bytes_);
    float* const arena = reinterpret_cast<float*>(run.arena.data());
    std::fill_n(arena, arena_bytes_ / sizeof(float), -1.0F);
    float sum = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      sum += numbers[i];
      run.outputs[0].data<float>()[i] = numbers[i] + number_;
    }
    run.outputs[1].data<float>()[0] = sum;
    return Status::ok();
  }

 private:
  const float number_;
  const std::size_t arena_bytes_;
  const std::string_view name_;
};

struct Answer {
  Status status;
  std::vector<Tensor> outputs;
};

class ChainProgramTest : public ::testing::Test {
 protected:
  void open(std::vector<ChainProgram::Link> links) {
    lanes_ = std::move(
        *LaneSet::create(sim_, poller_, {std::make_shared<ChainProgram>(std::move(links))}, {}));
  }
  Answer ask(std::vector<float> numbers) {
    const auto count = static_cast<std::int64_t>(numbers.size());
    return ask_all({tensor_of<float>({count}, std::move(numbers))});
  }
  Answer ask_all(std::vector<Tensor> inputs) {
    std::optional<Answer> answer;
    lanes_->submit({std::move(inputs), nullptr, [&](Status status, std::span<Tensor> outputs) {
                      answer = Answer{std::move(status), {outputs.begin(), outputs.end()}};
                    }});
    while (!answer && !poller_->is_idle()) {
      if (poller_->step() == CompletionPoller::Turn::kAsked) clock_->advance(1us);
    }
    return answer ? *answer : Answer{internal("test.untold", "nobody was told"), {}};
  }

  const std::shared_ptr<SteppingClock> clock_ = std::make_shared<SteppingClock>();
  const std::shared_ptr<CompletionPoller> poller_ = std::make_shared<CompletionPoller>(clock_);
  const std::shared_ptr<SimDevice> sim_ = std::make_shared<SimDevice>(clock_, SimOptions());
  std::unique_ptr<LaneSet> lanes_;
};

TEST_F(ChainProgramTest, HandsOnWhatIsNotReadElsewhere) {
  open({{std::make_shared<Adding>(1.0F, 100), 0, false},
        {std::make_shared<Adding>(10.0F, 0), 0, true},
        {std::make_shared<Adding>(100.0F, 7)}});

  for (int time = 0; time < 3; ++time) {
    const Answer answer = ask({1, 2, 3});

    ASSERT_THAT(answer.status, IsOk());
    ASSERT_EQ(answer.outputs.size(), 5u);
    EXPECT_THAT(values_of<float>(answer.outputs[0]), ElementsAre(6));           // sum of the input
    EXPECT_THAT(values_of<float>(answer.outputs[1]), ElementsAre(12, 13, 14));  // of the second
    EXPECT_THAT(values_of<float>(answer.outputs[2]), ElementsAre(9));
    EXPECT_THAT(values_of<float>(answer.outputs[3]), ElementsAre(112, 113, 114));
    EXPECT_THAT(values_of<float>(answer.outputs[4]), ElementsAre(39));
  }
  EXPECT_THAT(sim_->races(), IsEmpty());
}

TEST_F(ChainProgramTest, PassesOnAnyOutput) {
  open({{std::make_shared<Adding>(1.0F, 3), 1, false}, {std::make_shared<Adding>(0.5F, 3)}});

  const Answer answer = ask({1, 2, 3});

  ASSERT_THAT(answer.status, IsOk());
  EXPECT_THAT(values_of<float>(answer.outputs[0]), ElementsAre(2, 3, 4));
  EXPECT_THAT(values_of<float>(answer.outputs[1]), ElementsAre(6.5F));
}

TEST_F(ChainProgramTest, TakesInputsOfAnySize) {
  open({{std::make_shared<Adding>(1.0F, 2), 0, false}, {std::make_shared<Adding>(1.0F, 5)}});

  for (const std::size_t count : {5, 3000, 70, 1}) {
    const Answer answer = ask(std::vector<float>(count, 2.0F));
    ASSERT_THAT(answer.status, IsOk());
    EXPECT_EQ(values_of<float>(answer.outputs[1]), std::vector<float>(count, 4.0F));
  }
}

// Each row of its input, cut to four numbers, plus the row's length: rows of any length.
class Cutting final : public DeviceProgram {
 public:
  std::string_view name() const override { return "cut"; }
  Result<Plan> plan(std::span<const Tensor> inputs) override {
    return Plan{{{DType::kF32, {inputs[0].shape()[0], 4}}}, 16, nullptr};
  }
  Status run(const Run& run) override {
    const Shape& shape = run.inputs[0].shape();
    for (std::int64_t row = 0; row < shape[0]; ++row) {
      for (std::int64_t i = 0; i < 4; ++i) {
        run.outputs[0].data<float>()[row * 4 + i] =
            run.inputs[0].data<float>()[row * shape[1] + i] + static_cast<float>(shape[1]);
      }
    }
    return Status::ok();
  }
};

TEST_F(ChainProgramTest, PutsTogetherWhatTheFirstMakesOfEach) {
  for (const bool is_read_elsewhere : {false, true}) {
    lanes_ = std::move(*LaneSet::create(
        sim_, poller_,
        {std::make_shared<ChainProgram>(
            std::vector<ChainProgram::Link>{{std::make_shared<Cutting>(), 0, is_read_elsewhere},
                                            {std::make_shared<Adding>(100.0F, 9)}},
            ChainProgram::First::kTakesEach)},
        {}));
    const std::vector<Tensor> inputs{
        tensor_of<float>({1, 5}, {1, 2, 3, 4, 0}),
        tensor_of<float>({2, 4}, {10, 20, 30, 40, 50, 60, 70, 80}),
        tensor_of<float>({1, 7}, {5, 6, 7, 8, 0, 0, 0}),
    };

    const Answer answer = ask_all(inputs);

    ASSERT_THAT(answer.status, IsOk());
    ASSERT_EQ(answer.outputs.size(), is_read_elsewhere ? 3u : 2u);
    const Tensor& result = answer.outputs[is_read_elsewhere ? 1 : 0];
    EXPECT_EQ(result.shape(), (Shape{4, 4}));
    EXPECT_THAT(values_of<float>(result), ElementsAre(106, 107, 108, 109, 114, 124, 134, 144, 154,
                                                      164, 174, 184, 112, 113, 114, 115));
    if (is_read_elsewhere) {
      EXPECT_THAT(values_of<float>(answer.outputs[0]),
                  ElementsAre(6, 7, 8, 9, 14, 24, 34, 44, 54, 64, 74, 84, 12, 13, 14, 15));
    }
  }
  EXPECT_THAT(sim_->races(), IsEmpty());
}

TEST_F(ChainProgramTest, NamesTheProgramThatFails) {
  open({{std::make_shared<Adding>(1.0F, 0, "first"), 0, false},
        {std::make_shared<Adding>(1.0F, 0, "second")}});

  const Answer refused = ask(std::vector<float>(13, 0.0F));
  const Answer failed = ask({665});
  const Answer good = ask({1});

  EXPECT_THAT(refused.status, FailsWith("infer.shape", "first + second"));
  EXPECT_THAT(failed.status, FailsWith("test.failed", "second: that number"));
  EXPECT_THAT(good.status, IsOk());
}

}  // namespace
}  // namespace sluice
