#include "sluice/core/model.h"

#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/nodes/infer/kernels/values.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

// What convolutions stand among decides how their images are laid out and what is computed along
// with them. A model whose input is a constant is computed at load, node by node, in ONNX's own
// order: it says what the same nodes have to give when the input comes at a run.

namespace sluice {
namespace {

using testing::attribute;
using testing::IsOk;
using testing::OnnxWriter;
using testing::values_of;

using Nodes = std::function<void(OnnxWriter&)>;
using Integers = std::vector<std::int64_t>;

Tensor varied(const Shape& shape, unsigned seed, float low = -1.0f) {
  Tensor tensor = *Tensor::allocate(DType::kF32, shape);
  const auto values = kernels::test::random_floats(tensor.elements(), seed, low);
  std::copy(values.begin(), values.end(), tensor.data<float>());
  return tensor;
}

Tensor integers(const Integers& values) {
  Tensor tensor = *Tensor::allocate(DType::kI64, Shape{static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.data<std::int64_t>());
  return tensor;
}

// The model's one output, and whether loading had to leave it for the run.
std::vector<float> output_of(const std::string& path, const std::vector<Tensor>& inputs,
                             Precision precision = Precision::kFp32) {
  const auto model = find_backend("native")->load(path, {.precision = precision, .outputs = {}});
  EXPECT_THAT(model, IsOk());
  if (!model) return {};
  const auto session = (*model)->new_session();
  const auto outputs = (*session)->run(inputs, nullptr);
  EXPECT_THAT(outputs, IsOk());
  return outputs ? values_of<float>(outputs->front()) : std::vector<float>{};
}

// The size of the difference over that of what is expected, root mean square.
double relative_error(const std::vector<float>& actual, const std::vector<float>& expected) {
  EXPECT_EQ(actual.size(), expected.size());
  double difference = 0.0, size = 0.0;
  for (std::size_t i = 0; i < std::min(actual.size(), expected.size()); ++i) {
    const double wanted = static_cast<double>(expected[i]);
    difference += std::pow(static_cast<double>(actual[i]) - wanted, 2);
    size += wanted * wanted;
  }
  return std::sqrt(difference / size);
}

// x is [2, 6, 20, 18]; the nodes make y of it, in bf16 roughly.
void expect_same_as_folded(const Nodes& nodes) {
  const Tensor x = varied({2, 6, 20, 18}, 1);
  OnnxWriter run, folded;
  run.input("x", {2, 6, 20, 18});
  folded.constant("x", x);
  for (OnnxWriter* writer : {&run, &folded}) {
    nodes(*writer);
    writer->output("y");
  }

  const auto expected = output_of(folded.save("folded.onnx"), {});
  const std::string path = run.save("run.onnx");
  const auto actual = output_of(path, {x});

  EXPECT_FALSE(expected.empty());
  EXPECT_TRUE(kernels::test::near(actual, expected, 1e-4, 1e-4));
  const auto rounded = output_of(path, {x}, Precision::kBf16IfAvailable);
  EXPECT_LT(relative_error(rounded, expected), 0.02);
}

// A convolution of `name`: pads that keep the size, a bias.
void conv(OnnxWriter& writer, const std::string& x, const std::string& name, const Shape& weights,
          std::int64_t group = 1, std::int64_t stride = 1) {
  const std::int64_t pad = weights[2] / 2;
  writer.constant(name + ".w", varied(weights, static_cast<unsigned>(weights.elements())))
      .constant(name + ".b", varied({weights[0]}, 7))
      .node("Conv", {x, name + ".w", name + ".b"}, {name},
            {attribute("group", group), attribute("pads", Integers{pad, pad, pad, pad}),
             attribute("strides", Integers{stride, stride})});
}

TEST(Layout, JoinsADepthwiseConvolutionWithThePairThatReadsIt) {
  expect_same_as_folded([](OnnxWriter& writer) {
    conv(writer, "x", "depth", {6, 1, 3, 3}, 6);
    conv(writer, "depth", "wide", {20, 6, 1, 1});
    writer.node("Relu", {"wide"}, {"bent"});
    conv(writer, "bent", "narrow", {6, 20, 1, 1});
    writer.node("Add", {"depth", "narrow"}, {"sum"});
    conv(writer, "sum", "depth2", {6, 1, 5, 5}, 6, 2);
    conv(writer, "depth2", "wide2", {12, 6, 1, 1});
    conv(writer, "wide2", "y", {9, 12, 1, 1});
  });
}

// As after the activations of PP-LCNetV3; a pad is 0, whatever is added to the pixels.
TEST(Layout, ScalesWhatActivationsGive) {
  expect_same_as_folded([](OnnxWriter& writer) {
    const auto scaled = [&](const std::string& activation, const std::string& x,
                            const std::string& name) {
      writer.node(activation, {x}, {name + ".bent"})
          .constant(name + ".scale", varied({1}, 11))
          .constant(name + ".shift", varied({1}, 12))
          .node("Mul", {name + ".bent", name + ".scale"}, {name + ".product"})
          .node("Add", {name + ".shift", name + ".product"}, {name});
    };
    conv(writer, "x", "wide", {20, 6, 1, 1});
    scaled("HardSwish", "wide", "a");
    conv(writer, "a", "depth", {20, 1, 3, 3}, 20);
    scaled("Relu", "depth", "b");
    conv(writer, "b", "dense", {32, 20, 3, 3});
    scaled("Sigmoid", "dense", "c");
    conv(writer, "c", "winograd", {32, 32, 3, 3});
    scaled("Relu", "winograd", "y");
  });
}

TEST(Layout, KeepsWhatIsBetweenAPairWhenSomebodyElseReadsIt) {
  expect_same_as_folded([](OnnxWriter& writer) {
    conv(writer, "x", "wide", {20, 6, 1, 1});
    conv(writer, "wide", "narrow", {20, 20, 1, 1});
    writer.node("Add", {"wide", "narrow"}, {"y"});
  });
}

TEST(Layout, ComputesConcatenatedChannelsInTheirPlaces) {
  expect_same_as_folded([](OnnxWriter& writer) {
    const Integers ones{1, 1}, threes{3, 3}, around{1, 1, 1, 1};
    conv(writer, "x", "a", {24, 6, 3, 3});
    writer.node(
        "MaxPool", {"a"}, {"pool"},
        {attribute("kernel_shape", threes), attribute("strides", ones), attribute("pads", around)});
    conv(writer, "pool", "b", {5, 24, 1, 1});
    writer.node("Concat", {"a", "b"}, {"ab"}, {attribute("axis", std::int64_t{1})});
    conv(writer, "ab", "c", {3, 29, 3, 3});
    // A concatenation within another, and a part that is there twice.
    writer.node("Concat", {"ab", "c", "c"}, {"abc"}, {attribute("axis", std::int64_t{1})});
    conv(writer, "abc", "y", {7, 35, 1, 1});
  });
}

TEST(Layout, ScalesChannelsInOnePass) {
  expect_same_as_folded([](OnnxWriter& writer) {
    conv(writer, "x", "a", {24, 6, 1, 1});
    conv(writer, "x", "b", {8, 6, 3, 3});
    for (const char* name : {"scale", "shift", "mean"}) writer.constant(name, varied({32}, 3));
    writer.constant("variance", varied({32}, 4, 0.5f))
        .constant("factor", varied({32, 1, 1}, 5))
        .constant("term", varied({1, 32, 1, 1}, 6))
        .node("Concat", {"a", "b"}, {"ab"}, {attribute("axis", std::int64_t{1})})
        .node("BatchNormalization", {"ab", "scale", "shift", "mean", "variance"}, {"normal"})
        .node("Mul", {"normal", "factor"}, {"product"})
        .node("Add", {"term", "product"}, {"sum"})
        .node("Relu", {"sum"}, {"bent"});
    conv(writer, "bent", "y", {7, 32, 1, 1});
  });
}

TEST(Layout, GatesChannelsByWhatTheImageIsOnAverage) {
  expect_same_as_folded([](OnnxWriter& writer) {
    conv(writer, "x", "a", {24, 6, 3, 3});
    writer.node("GlobalAveragePool", {"a"}, {"mean"});
    conv(writer, "mean", "squeezed", {4, 24, 1, 1});
    conv(writer, "squeezed", "excited", {24, 4, 1, 1});
    writer.node("HardSigmoid", {"excited"}, {"gate"})
        .node("Mul", {"a", "gate"}, {"gated"})
        .node("Add", {"gated", "a"}, {"y"});
  });
}

TEST(Layout, TurnsWhatStandsBetweenConvolutionsAndNothingElse) {
  expect_same_as_folded([](OnnxWriter& writer) {
    const Integers twos{2, 2};
    conv(writer, "x", "a", {40, 6, 3, 3});
    conv(writer, "a", "b", {40, 40, 3, 3});  // large enough for Winograd
    Tensor scales = *Tensor::allocate(DType::kF32, Shape{4});
    scales.data<float>()[0] = scales.data<float>()[1] = 1.0f;
    scales.data<float>()[2] = scales.data<float>()[3] = 2.0f;
    writer.node("LRN", {"b"}, {"local"}, {attribute("size", std::int64_t{5})})
        .node("AveragePool", {"local"}, {"pool"},
              {attribute("kernel_shape", twos), attribute("strides", twos)})
        .constant("scales", scales)
        .node("Resize", {"pool", "", "scales"}, {"large"},
              {attribute("mode", "nearest"), attribute("nearest_mode", "floor"),
               attribute("coordinate_transformation_mode", "asymmetric")})
        .node("Add", {"large", "b"}, {"sum"})
        .constant("t.w", varied({40, 3, 2, 2}, 9))
        .node("ConvTranspose", {"sum", "t.w"}, {"up"}, {attribute("strides", twos)})
        .node("Sigmoid", {"up"}, {"bent"})
        .node("Transpose", {"bent"}, {"pixels"}, {attribute("perm", Integers{0, 2, 3, 1})})
        .constant("shape", integers({2, -1, 3}))
        .node("Reshape", {"pixels", "shape"}, {"y"});
  });
}

}  // namespace
}  // namespace sluice
