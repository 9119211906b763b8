#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sluice {
namespace {

using testing::FailsWith;
using ::testing::FloatNear;
using testing::IsOk;
using ::testing::Pointwise;
using testing::tensor_of;
using testing::values_of;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

PortType f32(std::vector<Dim> dims, std::string layout = {}) {
  PortType type = PortType::of<Tensor>();
  type.tensor = TensorType{DType::kF32, std::move(dims), std::move(layout)};
  return type;
}

NodeHarness::Run softmax(const Tensor& tensor, std::int64_t axis = -1) {
  NodeHarness node("softmax", {{"axis", axis}});
  EXPECT_THAT(node.open(), IsOk());
  return node.process({{"in", PayloadRef::make(tensor)}});
}

std::vector<float> shares(const Tensor& tensor, std::int64_t axis = -1) {
  const auto run = softmax(tensor, axis);
  EXPECT_THAT(run.status, IsOk());
  return values_of<float>(run.out().at(0).get<Tensor>());
}

auto are_near(const std::vector<double>& expected) {
  return ::testing::Pointwise(::testing::FloatNear(1e-6F), expected);
}

TEST(Softmax, GivesShares) {
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(3.0);
  const std::vector<double> expected{std::exp(1.0) / sum, std::exp(2.0) / sum, std::exp(3.0) / sum};

  EXPECT_THAT(shares(tensor_of<float>({3}, {1, 2, 3})), are_near(expected));
}

TEST(Softmax, WorksAlongAnyAxis) {
  const Tensor tensor = tensor_of<float>({2, 2, 2}, {0, 0, 0, 0, 0, 0, 100, 100});

  EXPECT_THAT(shares(tensor, 0), are_near({.5, .5, 0, 0, .5, .5, 1, 1}));
  EXPECT_THAT(shares(tensor, -2), are_near({.5, .5, .5, .5, 0, 0, 1, 1}));
  EXPECT_THAT(shares(tensor, 2), are_near({.5, .5, .5, .5, .5, .5, .5, .5}));
}

TEST(Softmax, ReadsStridedTensors) {
  const Tensor tensor = tensor_of<float>({2, 2}, {0, 50, 0, 0});
  const Tensor transposed(DType::kF32, {2, 2}, {1, 2}, tensor.buffer(), 0);

  EXPECT_THAT(shares(transposed), are_near({.5, .5, 1, 0}));
}

TEST(Softmax, DoesNotOverflow) {
  EXPECT_THAT(shares(tensor_of<float>({3}, {3e38F, 3e38F, -3e38F})), are_near({.5, .5, 0}));
  EXPECT_THAT(shares(tensor_of<float>({2}, {-1000, -1000})), are_near({.5, .5}));
}

TEST(Softmax, GivesMinusInfinityNoShare) {
  EXPECT_THAT(shares(tensor_of<float>({3}, {1, -kInfinity, 1})), are_near({.5, 0, .5}));
}

TEST(Softmax, NeverGivesANan) {
  for (const std::vector<float>& row : {std::vector<float>{1, kNan},
                                        {kNan, kNan},
                                        {1, kInfinity},
                                        {-kInfinity, -kInfinity},
                                        {kNan, -kInfinity}}) {
    const auto run = softmax(tensor_of<float>({2, 1}, row), 0);
    EXPECT_THAT(run.status, FailsWith("tensor.nan"));
    EXPECT_TRUE(run.out().empty());
  }
}

TEST(Softmax, KeepsAShapeWithoutElements) {
  const auto run = softmax(*Tensor::allocate(DType::kF32, {0, 3}));

  EXPECT_THAT(run.status, IsOk());
  EXPECT_EQ(run.out().at(0).get<Tensor>().shape(), (Shape{0, 3}));
}

TEST(Softmax, RejectsATensorThatItCannotTake) {
  EXPECT_THAT(softmax(tensor_of<std::int64_t>({2}, {1, 2})).status,
              FailsWith("tensor.shape", "i64"));
  EXPECT_THAT(softmax(tensor_of<float>({2}, {1, 2}), 1).status,
              FailsWith("tensor.shape", "axis 1"));
  EXPECT_THAT(softmax(tensor_of<float>({}, {1})).status, FailsWith("tensor.shape"));
  EXPECT_THAT(softmax(*Tensor::allocate(DType::kF32, {2, 0})).status, FailsWith("tensor.shape"));
}

TEST(Softmax, PassesTheShapeOnAtLoad) {
  NodeHarness node("softmax", {{"axis", std::int64_t{1}}});
  node.wire("in", f32({{2, ""}, {-1, "C"}}));
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_EQ(node.ports().outputs[0].type.to_string(), "Tensor f32 [2,C]");
}

TEST(Softmax, RefusesAnAxisThatIsNotThere) {
  NodeHarness node("softmax", {{"axis", std::int64_t{2}}});
  node.wire("in", f32({{2, ""}, {3, ""}}));

  EXPECT_THAT(node.open(), FailsWith("node.resolve", "SL0209"));
  EXPECT_EQ(node.problems()[0].name, "axis");
}

TEST(Softmax, StaysWithinTheMemoryLimit) {
  NodeHarness node("softmax");
  node.limit_memory(100);
  ASSERT_THAT(node.open(), IsOk());

  const Tensor tensor = *Tensor::allocate(DType::kF32, {1000});
  EXPECT_THAT(node.process({{"in", PayloadRef::make(tensor)}}).status, FailsWith("memory.limit"));
}

}  // namespace
}  // namespace sluice
