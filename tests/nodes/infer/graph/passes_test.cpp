#include "sluice/nodes/infer/graph/passes.h"

#include "sluice/nodes/infer/graph/importer.h"
#include "sluice/nodes/infer/native/compile.h"

#include "onnx_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sluice::graph {
namespace {

using testing::attribute;
using testing::OnnxWriter;
using testing::tensor_of;
using testing::values_of;

Tensor scalar(float value) { return tensor_of<float>(Shape{}, {value}); }

// Names of the operations that the passes leave, in order.
std::vector<std::string_view> optimized(const OnnxWriter& model, Graph* result = nullptr) {
  auto graph = import_onnx(model.save("passes.onnx"));
  EXPECT_TRUE(graph.is_ok()) << graph.status().message();
  if (!graph) return {};
  const Status status = optimize(*graph, native::evaluate);
  EXPECT_TRUE(status.is_ok()) << status.message();
  std::vector<std::string_view> names;
  for (const Node& node : graph->nodes) names.push_back(name_of(node.operation));
  if (result != nullptr) *result = std::move(*graph);
  return names;
}

using Names = std::vector<std::string_view>;

OnnxWriter with_conv() {
  return OnnxWriter()
      .input("x", {"N", 1, "H", "W"})
      .constant("w", tensor_of<float>(Shape{2, 1, 1, 1}, {1, 2}))
      .node("Conv", {"x", "w"}, {"c"});
}

TEST(Passes, ComputeConstantsAndDropWhatNobodyReads) {
  const auto model = OnnxWriter()
                         .input("x", {2})
                         .constant("a", scalar(2))
                         .constant("b", scalar(3))
                         .node("Mul", {"a", "b"}, {"six"})
                         .node("Relu", {"x"}, {"unread"})
                         .node("Identity", {"x"}, {"same"})
                         .node("Mul", {"same", "six"}, {"y"})
                         .output("y");
  Graph graph;

  EXPECT_EQ(optimized(model, &graph), (Names{"Mul"}));
  EXPECT_EQ(*graph.constant_of(graph.nodes[0], 1)->data<float>(), 6.0f);
}

TEST(Passes, FoldBatchNormalizationMulAddAndTheActivationIntoAConvolution) {
  auto model = with_conv();
  for (const char* name : {"scale", "shift", "mean"}) {
    model.constant(name, tensor_of<float>(Shape{2}, {2, 4}));
  }
  model.constant("variance", tensor_of<float>(Shape{2}, {1, 1}))
      .node("BatchNormalization", {"c", "scale", "shift", "mean", "variance"}, {"n"},
            {attribute("epsilon", 0.0f)})
      .constant("ten", tensor_of<float>(Shape{2, 1, 1}, {10, 10}))
      .node("Mul", {"n", "ten"}, {"m"})
      .constant("one", scalar(1))
      .node("Add", {"one", "m"}, {"a"})
      .node("Relu", {"a"}, {"y"})
      .output("y");
  Graph graph;

  ASSERT_EQ(optimized(model, &graph), (Names{"Conv"}));
  const Node& conv = graph.nodes[0];
  // ((w x - mean) scale + shift) 10 + 1
  EXPECT_EQ(values_of<float>(*graph.constant_of(conv, 1)), (std::vector<float>{20, 80}));
  EXPECT_EQ(values_of<float>(*graph.constant_of(conv, 2)), (std::vector<float>{-19, -119}));
  EXPECT_EQ(std::get<Conv>(conv.operation).activation->kind, UnaryKind::kRelu);
}

TEST(Passes, KeepAConvolutionThatSomebodyElseReads) {
  const auto model = with_conv().node("Relu", {"c"}, {"y"}).output("y").output("c");

  EXPECT_EQ(optimized(model), (Names{"Conv", "Relu"}));
}

TEST(Passes, ScaleWhatAnActivationGivesInTheConvolution) {
  const auto model = with_conv()
                         .constant("three", scalar(3))
                         .constant("two", scalar(2))
                         .node("Relu", {"c"}, {"r"})
                         .node("Mul", {"three", "r"}, {"m"})
                         .node("Add", {"m", "two"}, {"a"})
                         .node("Mul", {"a", "two"}, {"b"})
                         .node("Sigmoid", {"x"}, {"s"})
                         .node("Add", {"s", "b"}, {"y"})
                         .output("y");
  Graph graph;

  ASSERT_EQ(optimized(model, &graph), (Names{"Sigmoid", "Conv"}));
  const auto& conv = std::get<Conv>(graph.nodes[1].operation);
  EXPECT_EQ(conv.activation->kind, UnaryKind::kRelu);
  EXPECT_EQ(conv.activation->scale, 6.0f);
  EXPECT_EQ(conv.activation->shift, 4.0f);
}

TEST(Passes, KeepAScaleThatIsNotTheOnlyReader) {
  const auto model = with_conv()
                         .constant("three", scalar(3))
                         .node("Relu", {"c"}, {"r"})
                         .node("Mul", {"three", "r"}, {"y"})
                         .output("y")
                         .output("r");

  EXPECT_EQ(optimized(model), (Names{"Conv", "Mul"}));
}

TEST(Passes, AddTheResidualInTheConvolution) {
  const auto model = with_conv()
                         .node("Sigmoid", {"x"}, {"s"})
                         .node("Add", {"s", "c"}, {"a"})
                         .node("Relu", {"a"}, {"y"})
                         .output("y");
  Graph graph;

  ASSERT_EQ(optimized(model, &graph), (Names{"Sigmoid", "Conv"}));
  const auto& conv = std::get<Conv>(graph.nodes[1].operation);
  EXPECT_FALSE(conv.activation);
  EXPECT_EQ(conv.after->kind, UnaryKind::kRelu);
}

TEST(Passes, RecogniseGelu) {
  const auto model = OnnxWriter()
                         .input("x", {"N"})
                         .constant("root", scalar(std::sqrt(2.0f)))
                         .constant("one", scalar(1))
                         .constant("half", scalar(0.5f))
                         .node("Div", {"x", "root"}, {"d"})
                         .node("Erf", {"d"}, {"e"})
                         .node("Add", {"e", "one"}, {"a"})
                         .node("Mul", {"x", "a"}, {"m"})
                         .node("Mul", {"m", "half"}, {"y"})
                         .output("y");

  EXPECT_EQ(optimized(model), (Names{"Gelu"}));
}

TEST(Passes, RecogniseSwishAndHardSwish) {
  const auto swish = OnnxWriter()
                         .input("x", {"N"})
                         .node("Sigmoid", {"x"}, {"s"})
                         .node("Mul", {"s", "x"}, {"y"})
                         .output("y");
  const auto hard_swish = OnnxWriter()
                              .input("x", {"N"})
                              .constant("three", scalar(3))
                              .constant("zero", scalar(0))
                              .constant("six", scalar(6))
                              .node("Add", {"x", "three"}, {"a"})
                              .node("Clip", {"a", "zero", "six"}, {"c"})
                              .node("Mul", {"x", "c"}, {"m"})
                              .node("Div", {"m", "six"}, {"y"})
                              .output("y");

  EXPECT_EQ(optimized(swish), (Names{"Silu"}));
  EXPECT_EQ(optimized(hard_swish), (Names{"HardSwish"}));
}

TEST(Passes, RecogniseLayerNormalization) {
  const OnnxWriter model =
      OnnxWriter()
          .input("x", {"N", 2})
          .constant("two", scalar(2))
          .constant("epsilon", scalar(1e-5f))
          .constant("scale", tensor_of<float>(Shape{2}, {1, 2}))
          .constant("shift", tensor_of<float>(Shape{2}, {3, 4}))
          .node("ReduceMean", {"x"}, {"mean"}, {attribute("axes", std::vector<std::int64_t>{-1})})
          .node("Sub", {"x", "mean"}, {"d"})
          .node("Pow", {"d", "two"}, {"square"})
          .node("ReduceMean", {"square"}, {"variance"},
                {attribute("axes", std::vector<std::int64_t>{-1})})
          .node("Add", {"variance", "epsilon"}, {"safe"})
          .node("Sqrt", {"safe"}, {"root"})
          .node("Div", {"d", "root"}, {"n"})
          .node("Mul", {"n", "scale"}, {"m"})
          .node("Add", {"m", "shift"}, {"y"})
          .output("y");

  EXPECT_EQ(optimized(model), (Names{"LayerNormalization"}));
}

TEST(Passes, AddARowInTheMatMul) {
  const auto model = OnnxWriter()
                         .input("x", {"N", 2})
                         .constant("w", tensor_of<float>(Shape{2, 3}, {1, 2, 3, 4, 5, 6}))
                         .constant("row", tensor_of<float>(Shape{3}, {1, 2, 3}))
                         .node("MatMul", {"x", "w"}, {"p"})
                         .node("Add", {"p", "row"}, {"a"})
                         .node("Relu", {"a"}, {"y"})
                         .output("y");

  EXPECT_EQ(optimized(model), (Names{"MatMul"}));
}

}  // namespace
}  // namespace sluice::graph
