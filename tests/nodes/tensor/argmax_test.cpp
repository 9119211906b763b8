#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using testing::IsOk;
using testing::tensor_of;
using testing::values_of;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

NodeHarness::Run argmax(const Tensor& tensor, std::int64_t axis = -1) {
  NodeHarness node("argmax", {{"axis", axis}});
  EXPECT_THAT(node.open(), IsOk());
  return node.process({{"in", PayloadRef::make(tensor)}});
}

std::vector<std::int64_t> places(const Tensor& tensor, std::int64_t axis = -1) {
  const auto run = argmax(tensor, axis);
  EXPECT_THAT(run.status, IsOk());
  return values_of<std::int64_t>(run.out().at(0).get<Tensor>());
}

TEST(Argmax, GivesThePlaceOfTheLargestAndItsValue) {
  const auto run = argmax(tensor_of<float>({4}, {-3, 2, 5, 1}));

  const Tensor& place = run.out().at(0).get<Tensor>();
  EXPECT_EQ(place.shape(), Shape{});
  EXPECT_THAT(values_of<std::int64_t>(place), ElementsAre(2));
  EXPECT_THAT(values_of<float>(run.out("value").at(0).get<Tensor>()), ElementsAre(5));
  EXPECT_EQ(run.out().at(0).to_value().to_json(), "2");
}

TEST(Argmax, WorksAlongAnyAxis) {
  const Tensor tensor = tensor_of<float>({2, 3}, {1, 9, 3, 4, 5, 6});

  EXPECT_THAT(places(tensor, 0), ElementsAre(1, 0, 1));
  EXPECT_THAT(places(tensor, 1), ElementsAre(1, 2));
  EXPECT_THAT(places(tensor, -2), ElementsAre(1, 0, 1));
}

TEST(Argmax, TakesTheFirstOfEquals) {
  EXPECT_THAT(places(tensor_of<float>({3}, {7, 7, 7})), ElementsAre(0));
  EXPECT_THAT(places(tensor_of<float>({2}, {-kInfinity, -kInfinity})), ElementsAre(0));
}

TEST(Argmax, TakesInfinityForANumber) {
  EXPECT_THAT(places(tensor_of<float>({3}, {7, kInfinity, 9})), ElementsAre(1));
}

TEST(Argmax, RejectsANanWhereverItStands) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (std::size_t at = 0; at < 4; ++at) {
    std::vector<float> values{4, 1, 3, 2};
    values[at] = nan;
    EXPECT_THAT(argmax(tensor_of<float>({2, 2}, values)).status, FailsWith("tensor.nan")) << at;
  }
}

TEST(Argmax, RejectsATensorThatItCannotTake) {
  EXPECT_THAT(argmax(tensor_of<std::uint8_t>({2}, {1, 2})).status, FailsWith("tensor.shape", "u8"));
  EXPECT_THAT(argmax(tensor_of<float>({2}, {1, 2}), -3).status, FailsWith("tensor.shape"));
  EXPECT_THAT(argmax(*Tensor::allocate(DType::kF32, {0})).status, FailsWith("tensor.shape"));
}

TEST(Argmax, SaysItsShapeBeforeTheRun) {
  NodeHarness node("argmax", {{"axis", std::int64_t{0}}});
  PortType type = PortType::of<Tensor>();
  type.tensor = TensorType{DType::kF32, std::vector<Dim>{{10, ""}, {-1, "T"}}, "ct"};
  node.wire("in", type);
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_EQ(node.ports().outputs[0].type.to_string(), "Tensor i64 [T]");
  EXPECT_EQ(node.ports().outputs[1].type.to_string(), "Tensor f32 [T]");
}

TEST(Argmax, RefusesAnAxisWithoutElements) {
  NodeHarness node("argmax");
  PortType type = PortType::of<Tensor>();
  type.tensor = TensorType{DType::kF32, std::vector<Dim>{{0, ""}}, ""};
  node.wire("in", type);

  EXPECT_THAT(node.open(), FailsWith("node.resolve", "SL0403"));
}

}  // namespace
}  // namespace sluice
