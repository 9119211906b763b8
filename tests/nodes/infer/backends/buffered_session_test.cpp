#include "sluice/nodes/infer/plugins/buffered_session.h"

#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

// What is copied and what is not, told by an engine that counts and computes next to nothing.

namespace sluice::plugins {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using testing::IsOk;
using testing::tensor_of;
using testing::values_of;

struct Counts {
  int in_place = 0;
  int copied = 0;
};

// Keeps the numbers above zero: as many come out as it finds, or, with `keeps_all`, all.
class CountingRunner {
 public:
  CountingRunner(Counts& counts, bool keeps_all) : counts_(&counts), keeps_all_(keeps_all) {}

  Status run_into(std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
    const std::vector<float> kept = kept_of(inputs[0]);
    if (outputs[0].elements() != static_cast<std::int64_t>(kept.size())) {
      return internal("infer.failed", "another shape");
    }
    std::ranges::copy(kept, outputs[0].data<float>());
    ++counts_->in_place;
    return Status::ok();
  }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs,
                                  const std::shared_ptr<MemoryBudget>& budget) {
    ++counts_->copied;
    const std::vector<float> kept = kept_of(inputs[0]);
    Result<Tensor> made =
        Tensor::allocate(DType::kF32, {static_cast<std::int64_t>(kept.size())}, budget);
    if (!made) return made.status();
    std::ranges::copy(kept, made->data<float>());
    return std::vector<Tensor>{*made};
  }

 private:
  std::vector<float> kept_of(const Tensor& input) const {
    std::vector<float> kept;
    for (const float value : input.span<float>()) {
      if (keeps_all_ || value > 0) kept.push_back(value);
    }
    return kept;
  }

  Counts* counts_;
  bool keeps_all_;
};

class OneInput final : public Model {
 public:
  const std::vector<ModelPort>& inputs() const override { return ports_; }
  const std::vector<ModelPort>& outputs() const override { return ports_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  std::string_view backend() const override { return "counting"; }
  std::size_t weight_bytes() const override { return 0; }
  Result<std::vector<Shape>> output_shapes(std::span<const Shape>) const override {
    return unsupported("infer.values", "they depend on values");
  }
  Result<std::unique_ptr<Session>> new_session() const override {
    return internal("infer.failed", "tests make their own");
  }

 private:
  std::vector<ModelPort> ports_{{"x", DType::kF32, {Dim{-1, "N"}}}};
  std::map<std::string, std::string> metadata_;
};

class BufferedSessions : public ::testing::Test {
 protected:
  BufferedSession<CountingRunner> session(bool keeps_all) {
    return {std::make_shared<OneInput>(), CountingRunner(counts_, keeps_all)};
  }
  static Result<std::vector<Tensor>> run(Session& session, const std::vector<float>& values) {
    const Tensor input = tensor_of<float>(Shape{static_cast<std::int64_t>(values.size())}, values);
    const Result<std::span<Tensor>> outputs = session.run(std::vector<Tensor>{input}, nullptr);
    if (!outputs) return outputs.status();
    return std::vector<Tensor>(std::make_move_iterator(outputs->begin()),
                               std::make_move_iterator(outputs->end()));
  }
  Counts counts_;
};

TEST_F(BufferedSessions, CopyTheFirstOutputsOfEachShapeOnly) {
  auto session = this->session(true);

  for (const auto& values : {std::vector<float>{1, 2}, {3, 4}, {5}, {6}, {7, 8}}) {
    const auto outputs = run(session, values);
    ASSERT_THAT(outputs, IsOk());
    EXPECT_EQ(values_of<float>(outputs->at(0)), values);
  }

  EXPECT_EQ(counts_.copied, 2);
  EXPECT_EQ(counts_.in_place, 3);
}

TEST_F(BufferedSessions, CopyAlwaysOnceShapesFollowValues) {
  auto session = this->session(false);

  ASSERT_THAT(run(session, {1, 2, 3}), IsOk());
  const auto fewer = run(session, {1, -2, 3});
  const auto as_before = run(session, {4, 5, 6});

  EXPECT_THAT(values_of<float>(fewer->at(0)), ElementsAre(1, 3));
  EXPECT_THAT(values_of<float>(as_before->at(0)), ElementsAre(4, 5, 6));
  EXPECT_EQ(counts_.in_place, 0);
  EXPECT_EQ(counts_.copied, 3);
}

TEST_F(BufferedSessions, ChargeOutputsToTheBudgetAndRefuseWhatPassesIt) {
  auto session = this->session(true);
  const auto budget = std::make_shared<MemoryBudget>(12);
  const std::vector<Tensor> three{tensor_of<float>(Shape{3}, {1, 2, 3})};
  const std::vector<Tensor> four{tensor_of<float>(Shape{4}, {1, 2, 3, 4})};

  for (int i = 0; i < 2; ++i) {
    const auto outputs = session.run(three, budget);
    ASSERT_THAT(outputs, IsOk());
    EXPECT_EQ(budget->used_bytes(), 12U);
    std::ranges::fill(*outputs, Tensor());  // what is left in the session stays charged
  }

  EXPECT_EQ(budget->used_bytes(), 0U);
  EXPECT_THAT(session.run(four, budget), FailsWith("memory.limit", ""));
}

TEST_F(BufferedSessions, RefuseWhatDoesNotFitTheModelBeforeTheEngineSeesIt) {
  auto session = this->session(true);
  const std::vector<Tensor> whole{tensor_of<std::int64_t>(Shape{1}, {1})};
  const std::vector<Tensor> square{tensor_of<float>(Shape{1, 1}, {1})};

  EXPECT_THAT(session.run(whole, nullptr), FailsWith("infer.shape", "takes f32"));
  EXPECT_THAT(session.run(square, nullptr), FailsWith("infer.shape", "takes [N]"));
  EXPECT_THAT(session.run({}, nullptr), FailsWith("infer.shape", "1 inputs, 0 were given"));
  EXPECT_EQ(counts_.copied, 0);
}

}  // namespace
}  // namespace sluice::plugins
