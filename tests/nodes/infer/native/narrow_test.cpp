#include "sluice/nodes/infer/native/native_model.h"

#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/nodes/infer/kernels/values.h"
#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

#include <functional>

// What lies between layers lies there as bf16 where both sides take it so. That it is computed
// right is what layout_test.cpp says, which runs its models in both precisions.

namespace sluice::native {
namespace {

using testing::attribute;
using testing::IsOk;
using testing::OnnxWriter;

using Integers = std::vector<std::int64_t>;

Tensor varied(const Shape& shape) {
  Tensor tensor = *Tensor::allocate(DType::kF32, shape);
  const auto values = kernels::test::random_floats(tensor.elements(), 1);
  std::copy(values.begin(), values.end(), tensor.data<float>());
  return tensor;
}

// The bytes that a model needs beside its inputs and outputs, for an image of 64 x 64.
std::size_t arena_bytes(const std::string& path, Precision precision) {
  const auto model = find_backend("native")->load(path, {.precision = precision, .outputs = {}});
  EXPECT_THAT(model, IsOk());
  if (!model) return 0;
  const std::vector<Tensor> inputs{varied({1, 3, 64, 64})};
  const auto plan = static_cast<const NativeModel&>(**model).plan_for(inputs);
  EXPECT_THAT(plan, IsOk());
  return plan ? (*plan)->arena_bytes : 0;
}

// Two 3x3 convolutions of 32 channels, with `between` from `a` to `b` between them.
std::string model_with(const std::function<void(OnnxWriter&)>& between) {
  const Integers around{1, 1, 1, 1}, ends{2, 3};
  OnnxWriter writer;
  writer.input("x", {1, 3, 64, 64})
      .constant("first", varied({32, 3, 3, 3}))
      .constant("second", varied({32, 32, 1, 1}))
      .node("Conv", {"x", "first"}, {"a"}, {attribute("pads", around)});
  between(writer);
  return writer.node("Conv", {"b", "second"}, {"c"})
      .node("ReduceMean", {"c"}, {"y"}, {attribute("axes", ends)})
      .output("y")
      .save("narrow.onnx");
}

class Narrow : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kernels::isa() < kernels::Isa::kAvx512Bf16) GTEST_SKIP() << "this CPU has no bf16";
  }
};

TEST_F(Narrow, HalvesWhatLiesBetweenConvolutionsPoolsAndMeans) {
  const std::string path = model_with([](OnnxWriter& writer) {
    writer.node(
        "MaxPool", {"a"}, {"b"},
        {attribute("kernel_shape", Integers{3, 3}), attribute("pads", Integers{1, 1, 1, 1})});
  });

  // Both layers' images at once, and some kB for the kernels.
  constexpr std::size_t kImage = 64 * 64 * 32;
  EXPECT_GE(arena_bytes(path, Precision::kFp32), 2 * kImage * 4);
  EXPECT_LT(arena_bytes(path, Precision::kBf16), 2 * kImage * 2 + (200 << 10));
}

// The third reader needs floats, so that all of them get them.
TEST_F(Narrow, LeavesFloatsWhereSomebodyNeedsThem) {
  const std::string path = model_with([](OnnxWriter& writer) {
    writer.node("Softmax", {"a"}, {"s"}, {attribute("axis", std::int64_t{1})})
        .node("Concat", {"a", "s"}, {"as"}, {attribute("axis", std::int64_t{1})})
        .constant("half", varied({32, 64, 1, 1}))
        .node("Conv", {"as", "half"}, {"b"});
  });

  constexpr std::size_t kImage = 64 * 64 * 32;
  EXPECT_GE(arena_bytes(path, Precision::kBf16), 2 * kImage * 4);
}

}  // namespace
}  // namespace sluice::native
