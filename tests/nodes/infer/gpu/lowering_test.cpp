#include "tests/nodes/infer/gpu/emulated_gpu.h"
#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#ifdef SLUICE_EMULATED_CUDA

// What a graph becomes on a GPU: which operators, and how many.

namespace sluice::testing {
namespace {

using gpu::Arithmetic;
using ::testing::ElementsAre;

std::shared_ptr<const gpu::GpuPlan> plan_of(const OnnxWriter& model,
                                            const std::vector<Tensor>& inputs) {
  const std::string path = model.save("lowering.onnx");
  const auto native = find_backend("native")->load(path, {});
  EXPECT_TRUE(native) << native.status().message();
  gpu::GpuModel gpu(graph_of(*native), emulated_gpu(), Arithmetic::kFp16);
  const auto plan = gpu.plan_for(inputs);
  EXPECT_TRUE(plan) << plan.status().message();
  return *plan;
}

std::vector<int> kinds(const gpu::GpuPlan& plan) {
  std::vector<int> kinds;
  for (const gpu::Step& step : plan.steps) kinds.push_back(step.op.kind);
  return kinds;
}

Tensor zeros(const Shape& shape) {
  return tensor_of<float>(shape, std::vector<float>(static_cast<std::size_t>(shape.elements())));
}

TEST(Lowering, MakesOneOperatorOfAChainOfArithmetic) {
  const auto plan = plan_of(OnnxWriter()
                                .input("a", {2, 3})
                                .input("b", {2, 3})
                                .node("Add", {"a", "b"}, {"sum"})
                                .node("Relu", {"sum"}, {"positive"})
                                .node("Mul", {"positive", "b"}, {"product"})
                                .node("Tanh", {"product"}, {"y"})
                                .output("y"),
                            {zeros({2, 3}), zeros({2, 3})});

  EXPECT_THAT(kinds(*plan), ElementsAre(SLUICE_CUDA_OP_MAP));
  EXPECT_EQ(plan->steps[0].op.as.map.stages, 4);
  EXPECT_EQ(plan->arena_bytes, 0U) << "nothing lies between the input and the output";
}

TEST(Lowering, MovesNothingForWhatIsOnlySeenFromElsewhere) {
  const auto plan = plan_of(
      OnnxWriter()
          .input("x", {2, 3, 4})
          .node("Transpose", {"x"}, {"t"}, {attribute("perm", std::vector<std::int64_t>{2, 0, 1})})
          .node("Flatten", {"t"}, {"flat"})
          .node("Relu", {"flat"}, {"y"})
          .output("y"),
      {zeros({2, 3, 4})});

  EXPECT_THAT(kinds(*plan), ElementsAre(SLUICE_CUDA_OP_MAP));
  EXPECT_EQ(plan->steps[0].op.in[0].strides[plan->steps[0].op.in[0].rank - 1], 4);
}

TEST(Lowering, AddsAResidualAlongWithTheConvolution) {
  const auto plan = plan_of(OnnxWriter()
                                .input("x", {1, 8, 4, 4})
                                .constant("w", zeros({8, 8, 1, 1}))
                                .constant("b", zeros({8}))
                                .node("Conv", {"x", "w", "b"}, {"c"})
                                .node("Add", {"c", "x"}, {"sum"})
                                .node("Relu", {"sum"}, {"y"})
                                .output("y"),
                            {zeros({1, 8, 4, 4})});

  // The input to channels last, the convolution with all that follows, the output back.
  EXPECT_THAT(kinds(*plan),
              ElementsAre(SLUICE_CUDA_OP_MAP, SLUICE_CUDA_OP_CONV, SLUICE_CUDA_OP_MAP));
  EXPECT_EQ(plan->steps[1].op.as.conv.has_residual, 1);
  EXPECT_EQ(plan->steps[1].op.as.conv.after.function, SLUICE_CUDA_RELU);
  EXPECT_EQ(plan->steps[1].op.in[2].type, SLUICE_CUDA_F16);
}

TEST(Lowering, WidensImagesOfThreeChannelsForTensorCores) {
  const auto plan = plan_of(OnnxWriter()
                                .input("x", {1, 3, 4, 4})
                                .constant("w", zeros({8, 3, 3, 3}))
                                .node("Conv", {"x", "w"}, {"y"})
                                .output("y"),
                            {zeros({1, 3, 4, 4})});

  EXPECT_THAT(kinds(*plan), ElementsAre(SLUICE_CUDA_OP_MAP, SLUICE_CUDA_OP_PAD, SLUICE_CUDA_OP_CONV,
                                        SLUICE_CUDA_OP_MAP));
  EXPECT_EQ(plan->steps[2].op.in[0].dims[1], 8);
  EXPECT_EQ(plan->steps[2].op.in[1].dims[1], 8);
}

OnnxWriter attention() {
  return OnnxWriter()
      .input("q", {1, 2, 3, 8})
      .input("k", {1, 2, 5, 8})
      .input("v", {1, 2, 5, 8})
      .input("mask", {1, 1, 1, 5})
      .constant("scale", tensor_of<float>(Shape{}, {0.5F}))
      .node("Transpose", {"k"}, {"kt"}, {attribute("perm", std::vector<std::int64_t>{0, 1, 3, 2})})
      .node("MatMul", {"q", "kt"}, {"scores"})
      .node("Mul", {"scores", "scale"}, {"scaled"})
      .node("Add", {"scaled", "mask"}, {"masked"})
      .node("Softmax", {"masked"}, {"p"}, {attribute("axis", std::int64_t{-1})})
      .node("MatMul", {"p", "v"}, {"y"});
}

const std::vector<Tensor> kAttended{zeros({1, 2, 3, 8}), zeros({1, 2, 5, 8}), zeros({1, 2, 5, 8}),
                                    zeros({1, 1, 1, 5})};

TEST(Lowering, FindsAttention) {
  const auto plan = plan_of(attention().output("y"), kAttended);

  // Four inputs to f16, and the output to f32.
  EXPECT_THAT(kinds(*plan),
              ElementsAre(SLUICE_CUDA_OP_MAP, SLUICE_CUDA_OP_MAP, SLUICE_CUDA_OP_MAP,
                          SLUICE_CUDA_OP_MAP, SLUICE_CUDA_OP_ATTENTION, SLUICE_CUDA_OP_MAP));
  EXPECT_EQ(plan->steps[4].op.as.attention.scale, 0.5F);
}

TEST(Lowering, LeavesAttentionWrittenOutWhoseWeightsSomebodyReads) {
  const auto plan = plan_of(attention().output("y").output("p"), kAttended);

  EXPECT_THAT(kinds(*plan), ::testing::Not(::testing::Contains(SLUICE_CUDA_OP_ATTENTION)));
}

TEST(Lowering, TakesAllRowsOfABatchAsOneProductWithWeights) {
  const auto plan = plan_of(OnnxWriter()
                                .input("x", {4, 5, 8})
                                .constant("w", zeros({8, 16}))
                                .constant("b", zeros({16}))
                                .node("MatMul", {"x", "w"}, {"product"})
                                .node("Add", {"product", "b"}, {"y"})
                                .output("y"),
                            {zeros({4, 5, 8})});

  EXPECT_THAT(kinds(*plan),
              ElementsAre(SLUICE_CUDA_OP_MAP, SLUICE_CUDA_OP_MATMUL, SLUICE_CUDA_OP_MAP));
  EXPECT_EQ(plan->steps[1].op.in[0].dims[0], 1);
  EXPECT_EQ(plan->steps[1].op.in[0].dims[1], 20);
  EXPECT_EQ(plan->steps[1].op.as.matmul.has_bias, 1);
}

}  // namespace
}  // namespace sluice::testing

#endif
