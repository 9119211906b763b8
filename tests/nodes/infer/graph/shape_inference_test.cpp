#include "sluice/nodes/infer/graph/shape_inference.h"

#include "sluice/nodes/infer/graph/importer.h"
#include "sluice/nodes/infer/native/compile.h"

#include "onnx_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

namespace sluice::graph {
namespace {

using testing::attribute;
using testing::FailsWith;
using testing::IsOk;
using testing::OnnxWriter;
using testing::tensor_of;

Fact shaped(const Shape& shape) { return {shape, DType::kF32, std::nullopt}; }

// The first output's shape for one f32 input.
Result<Shape> inferred(const OnnxWriter& model, const Shape& input) {
  const auto graph = import_onnx(model.save("shapes.onnx"));
  if (!graph) return graph.status();
  const Fact facts[] = {shaped(input)};
  const auto all = infer_facts(*graph, facts, native::evaluate);
  if (!all) return all.status();
  return (*all)[static_cast<std::size_t>(graph->outputs[0])].shape;
}

OnnxWriter conv(const std::vector<testing::OnnxAttribute>& attributes) {
  return OnnxWriter()
      .input("x", {"N", 2, "H", "W"})
      .constant("w", *Tensor::allocate(DType::kF32, Shape{5, 2, 3, 3}))
      .node("Conv", {"x", "w"}, {"y"}, attributes)
      .output("y");
}

TEST(ShapeInference, FollowsPadsStridesAndDilationsOfAConvolution) {
  EXPECT_EQ(*inferred(conv({}), Shape{1, 2, 8, 9}), (Shape{1, 5, 6, 7}));
  EXPECT_EQ(*inferred(conv({attribute("pads", {1, 1, 1, 1}), attribute("strides", {2, 2})}),
                      Shape{4, 2, 8, 9}),
            (Shape{4, 5, 4, 5}));
  EXPECT_EQ(*inferred(conv({attribute("dilations", {2, 3})}), Shape{1, 2, 8, 9}),
            (Shape{1, 5, 4, 3}));
  EXPECT_EQ(*inferred(conv({attribute("auto_pad", "SAME_UPPER"), attribute("strides", {2, 2})}),
                      Shape{1, 2, 7, 9}),
            (Shape{1, 5, 4, 5}));
}

TEST(ShapeInference, SaysWhereOperandsDoNotFit) {
  EXPECT_THAT(inferred(conv({}), Shape{1, 3, 8, 8}), FailsWith("infer.shape", "Conv (node 0"));
  EXPECT_THAT(inferred(conv({}), Shape{1, 2, 2, 8}), FailsWith("infer.shape", "does not fit"));
}

// Flattens all axes after the first by arithmetic on the shape, as exporters write it.
OnnxWriter flattening() {
  return OnnxWriter()
      .input("x", {"N", "C", "H", "W"})
      .constant("zero", tensor_of<std::int64_t>(Shape{1}, {0}))
      .constant("one", tensor_of<std::int64_t>(Shape{1}, {1}))
      .constant("rest", tensor_of<std::int64_t>(Shape{1}, {-1}))
      .node("Shape", {"x"}, {"shape"})
      .node("Slice", {"shape", "zero", "one"}, {"batch"})
      .node("Concat", {"batch", "rest"}, {"target"}, {attribute("axis", std::int64_t{0})})
      .node("Reshape", {"x", "target"}, {"y"})
      .output("y");
}

TEST(ShapeInference, ComputesArithmeticOnShapes) {
  EXPECT_EQ(*inferred(flattening(), Shape{2, 3, 4, 5}), (Shape{2, 60}));
  EXPECT_EQ(*inferred(flattening(), Shape{7, 1, 1, 5}), (Shape{7, 5}));
}

TEST(ShapeInference, GivesSymbolsAndNumbersOfOutputs) {
  const auto graph = import_onnx(conv({attribute("pads", {1, 1, 1, 1})}).save("ports.onnx"));
  ASSERT_THAT(graph, IsOk());

  const std::vector<ModelPort> ports = infer_ports(*graph, native::evaluate);

  ASSERT_EQ(ports.size(), 1u);
  EXPECT_EQ(ports[0].dims, (std::vector<Dim>{{-1, "N"}, {5, ""}, {-1, "H"}, {-1, "W"}}));
}

TEST(ShapeInference, LeavesAnExtentOpenThatIsNoInputsExtent) {
  const auto graph = import_onnx(flattening().save("open.onnx"));
  ASSERT_THAT(graph, IsOk());

  const std::vector<ModelPort> ports = infer_ports(*graph, native::evaluate);

  EXPECT_EQ(ports[0].dims, (std::vector<Dim>{{-1, "N"}, {-1, ""}}));
}

TEST(ShapeInference, KnowsWhichInputsDecideAShape) {
  const auto graph = import_onnx(OnnxWriter()
                                     .input("x", {"N"})
                                     .input("shape", {2}, DType::kI64)
                                     .node("Reshape", {"x", "shape"}, {"y"})
                                     .output("y")
                                     .save("decides.onnx"));
  ASSERT_THAT(graph, IsOk());

  EXPECT_EQ(inputs_that_shape(*graph), (std::vector<char>{0, 1}));
  const Fact facts[] = {shaped(Shape{6}), {Shape{2}, DType::kI64, std::nullopt}};
  EXPECT_THAT(infer_facts(*graph, facts, native::evaluate), FailsWith("infer.values"));
}

TEST(ShapeInference, RefusesShapesThatOverflow) {
  const auto model =
      OnnxWriter()
          .input("x", {1})
          .constant("shape", tensor_of<std::int64_t>(Shape{3}, {1LL << 40, 1LL << 40, 3}))
          .node("Expand", {"x", "shape"}, {"y"})
          .output("y");

  EXPECT_THAT(inferred(model, Shape{1}), FailsWith("infer.shape", "larger than any memory"));
}

}  // namespace
}  // namespace sluice::graph
