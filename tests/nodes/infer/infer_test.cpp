#include "sluice/core/node_harness.h"
#include "sluice/nodes/infer/native/kernels/simd.h"

#include "tests/nodes/infer/backends/each_backend.h"
#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

// The `infer` node alone. The models are small enough to compute by hand.

namespace sluice {
namespace {

using testing::attribute;
using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::OnnxWriter;
using testing::tensor_of;
using testing::values_of;

using OptionList = NodeHarness::OptionList;

PortType tensor_type(std::vector<Dim> dims, std::string layout = {}, DType dtype = DType::kF32) {
  PortType type = PortType::of<Tensor>();
  type.tensor = TensorType{dtype, std::move(dims), std::move(layout)};
  return type;
}

// What a convolution of three ones makes of a row of any width, zeros outside of it.
OnnxWriter wide_model() {
  return OnnxWriter()
      .input("x", {"N", 1, 1, "W"})
      .constant("ones", tensor_of<float>(Shape{1, 1, 1, 3}, {1, 1, 1}))
      .node("Conv", {"x", "ones"}, {"y"},
            {attribute("pads", std::vector<std::int64_t>{0, 1, 0, 1})})
      .output("y");
}

CommonOptions padded_to(std::int64_t step, std::int64_t max) {
  CommonOptions common;
  common.batch_max = 8;
  common.batch_given = true;
  common.pad.push_back({"w", step, max, {}});
  return common;
}

Tensor row(const std::vector<float>& values) {
  return tensor_of<float>(Shape{1, 1, static_cast<std::int64_t>(values.size())}, values);
}

NodeHarness::Inputs one(Tensor tensor, const std::string& name = "x") {
  return {{name, PayloadRef::make(std::move(tensor))}};
}

std::vector<float> floats(const NodeHarness::Run& run, const std::string& port = "out") {
  return values_of<float>(run.out(port).at(0).get<Tensor>());
}

std::string problem_of(OptionList options,
                       const std::vector<std::pair<std::string, PortType>>& wires = {}) {
  NodeHarness node("infer", std::move(options));
  for (const auto& [name, type] : wires) node.wire(name, type);
  EXPECT_FALSE(node.open().is_ok());
  if (node.problems().empty()) return "no problem";
  const Problem& problem = node.problems().front();
  return problem.code + " " + problem.message + " | " + problem.help;
}

class InferOnEachBackend : public testing::EachBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, InferOnEachBackend, testing::all_backends(),
                         testing::backend_of);

TEST_P(InferOnEachBackend, AddsTheBatchAxisAndTakesItAway) {
  NodeHarness node("infer", {{"model", wide_model().save("wide.onnx")}, {"backend", GetParam()}});
  node.wire("", tensor_type({{1, ""}, {1, ""}, {-1, "W"}}));
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process(one(row({1, 2, 3})));

  ASSERT_THAT(run.status, IsOk());
  EXPECT_EQ(run.out().at(0).get<Tensor>().shape(), (Shape{1, 1, 3}));
  EXPECT_THAT(floats(run), ElementsAre(3, 6, 5));
}

TEST_P(InferOnEachBackend, CutsOutputsBackToWhatTheItemsRealSizeGives) {
  NodeHarness node("infer", {{"model", wide_model().save("wide.onnx")}, {"backend", GetParam()}},
                   padded_to(4, 8));
  node.wire("", tensor_type({{1, ""}, {1, ""}, {-1, "W"}}, "chw"));
  ASSERT_THAT(node.open(), IsOk());

  const auto runs =
      node.process_batch({one(row({1, 2, 3})), one(row({1, 1, 1, 1, 1})), one(row({5, 6, 7, 8}))});

  EXPECT_THAT(floats(runs.at(0)), ElementsAre(3, 6, 5));
  EXPECT_THAT(floats(runs.at(1)), ElementsAre(2, 3, 3, 3, 2));
  EXPECT_THAT(floats(runs.at(2)), ElementsAre(11, 18, 21, 15));
}

// The mean over the width tells how far an item was padded: to its own bucket and no further.
TEST_P(InferOnEachBackend, PadsAnItemToItsOwnBucketWhateverStandsBesideIt) {
  const std::string model = OnnxWriter()
                                .input("x", {"N", 1, 1, "W"})
                                .node("GlobalAveragePool", {"x"}, {"y"})
                                .output("y")
                                .save("mean.onnx");
  NodeHarness node("infer", {{"model", model}, {"backend", GetParam()}}, padded_to(4, 8));
  node.wire("", tensor_type({{1, ""}, {1, ""}, {-1, "W"}}, "chw"));
  ASSERT_THAT(node.open(), IsOk());

  const auto runs = node.process_batch({one(row({4, 4})), one(row({4, 4, 4, 4, 4, 4}))});

  EXPECT_THAT(floats(runs.at(0)), ElementsAre(2));
  EXPECT_THAT(floats(runs.at(1)), ElementsAre(3));
  EXPECT_THAT(floats(node.process(one(row({4, 4})))), ElementsAre(2));
}

// As a program may have them, of a picture whose colours lie side by side, say.
TEST_P(InferOnEachBackend, TakesTensorsWithGaps) {
  const Tensor pairs = tensor_of<float>(Shape{5, 2}, {1, 9, 2, 9, 3, 9, 4, 9, 5, 9});
  const Tensor firsts(DType::kF32, Shape{1, 1, 5}, Shape{10, 10, 2}, pairs.buffer(), 0);
  for (const CommonOptions& common : {CommonOptions(), padded_to(4, 16)}) {
    NodeHarness node("infer", {{"model", wide_model().save("wide.onnx")}, {"backend", GetParam()}},
                     common);
    node.wire("", tensor_type({{1, ""}, {1, ""}, {-1, "W"}}, "chw"));
    ASSERT_THAT(node.open(), IsOk());

    const auto run = node.process(one(firsts));

    ASSERT_THAT(run.status, IsOk());
    EXPECT_THAT(floats(run), ElementsAre(3, 6, 9, 12, 9));
  }
}

TEST_P(InferOnEachBackend, RejectsATensorWithoutRoomForTheBatchAxis) {
  NodeHarness node("infer", {{"model", wide_model().save("wide.onnx")}, {"backend", GetParam()}});
  node.wire("", tensor_type({{1, ""}, {1, ""}, {-1, "W"}}));
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process(one(tensor_of<float>(Shape{1, 1, 1, 1, 1, 1, 1, 2}, {1, 2})));

  EXPECT_THAT(run.status, FailsWith("infer.shape", "[1,1,1,1,1,1,1,2], and there is a batch axis"));
}

TEST_P(InferOnEachBackend, RejectsAnItemThatNoBucketHolds) {
  NodeHarness node("infer", {{"model", wide_model().save("wide.onnx")}, {"backend", GetParam()}},
                   padded_to(4, 8));
  node.wire("", tensor_type({{1, ""}, {1, ""}, {-1, "W"}}, "chw"));
  ASSERT_THAT(node.open(), IsOk());

  const auto runs = node.process_batch({one(row(std::vector<float>(9, 1))), one(row({1, 2, 3}))});

  EXPECT_THAT(runs.at(0).status, FailsWith("infer.pad", "axis w is 9"));
  EXPECT_THAT(floats(runs.at(1)), ElementsAre(3, 6, 5));
}

TEST(Infer, RefusesToPadAnAxisThatTheLayoutDoesNotHave) {
  NodeHarness node("infer", {{"model", wide_model().save("wide.onnx")}}, padded_to(4, 8));
  node.wire("", tensor_type({{1, ""}, {1, ""}, {-1, "W"}}, "hc?"));

  EXPECT_FALSE(node.open().is_ok());
  ASSERT_FALSE(node.problems().empty());
  EXPECT_EQ(node.problems().front().code, "SL0804");
}

TEST_P(InferOnEachBackend, TakesSeveralInputsAndGivesOutputsTheNamesAskedFor) {
  const std::string model = OnnxWriter()
                                .input("a", {"N", 2})
                                .input("b", {"N", 2})
                                .node("Add", {"a", "b"}, {"sum.0/y"})
                                .node("Mul", {"a", "b"}, {"product.0/y"})
                                .output("sum.0/y")
                                .output("product.0/y")
                                .save("two.onnx");
  NodeHarness node("infer", {{"model", model},
                             {"backend", GetParam()},
                             {"outputs", TextMap{{"times", "product.0/y"}, {"plus", "sum.0/y"}}}});
  node.wire("a", tensor_type({{2, ""}}));
  node.wire("b", tensor_type({{2, ""}}));
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process({{"a", PayloadRef::make(tensor_of<float>({2}, {2, 3}))},
                                 {"b", PayloadRef::make(tensor_of<float>({2}, {4, 5}))}});

  EXPECT_THAT(floats(run, "plus"), ElementsAre(6, 8));
  EXPECT_THAT(floats(run, "times"), ElementsAre(8, 15));
}

TEST_P(InferOnEachBackend, FillsAFixedBatchWithZeros) {
  const std::string model =
      OnnxWriter().input("x", {2, 3}).node("Relu", {"x"}, {"y"}).output("y").save("fixed.onnx");
  CommonOptions common;
  common.batch_max = 2;
  NodeHarness node("infer", {{"model", model}, {"backend", GetParam()}}, common);
  node.wire("", tensor_type({{3, ""}}));
  ASSERT_THAT(node.open(), IsOk());
  const auto item = [](float v) { return one(tensor_of<float>({3}, {v, -v, v})); };

  const auto runs = node.process_batch({item(1), item(2), item(3)});

  EXPECT_THAT(floats(runs.at(0)), ElementsAre(1, 0, 1));
  EXPECT_THAT(floats(runs.at(1)), ElementsAre(2, 0, 2));
  EXPECT_THAT(floats(runs.at(2)), ElementsAre(3, 0, 3));
}

TEST_P(InferOnEachBackend, CountsTheMemoryOfOutputsForTheItem) {
  const std::string model =
      OnnxWriter().input("x", {"N", 1, 1, 3}).node("Relu", {"x"}, {"y"}).output("y").save("y.onnx");
  NodeHarness node("infer", {{"model", model}, {"backend", GetParam()}});
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_GE(node.process(one(row({1, 2, 3}))).allocated_bytes, 3 * sizeof(float));
}

TEST_P(InferOnEachBackend, ChargesNobodyForOutputsThatAreGone) {
  const std::string padded = wide_model().save("wide.onnx");
  const std::string fixed =
      OnnxWriter().input("x", {2, 1, 1, 3}).node("Relu", {"x"}, {"y"}).output("y").save("two.onnx");
  for (const std::string& model : {padded, fixed}) {
    NodeHarness node("infer", {{"model", model}, {"backend", GetParam()}});
    ASSERT_THAT(node.open(), IsOk());

    auto runs = node.process_batch({one(row({1, 2, 3})), one(row({1, 1, 1}))});

    EXPECT_THAT(runs.at(1).status, IsOk());
    EXPECT_GT(node.budget()->used_bytes(), 0U);
    runs.clear();
    EXPECT_EQ(node.budget()->used_bytes(), 0U) << model;
  }
}

TEST_P(InferOnEachBackend, RejectsATensorThatDoesNotFitAndGoesOn) {
  const std::string model =
      OnnxWriter().input("x", {"N", 3}).node("Relu", {"x"}, {"y"}).output("y").save("relu.onnx");
  NodeHarness node("infer", {{"model", model}, {"backend", GetParam()}});
  node.wire("", tensor_type({{-1, ""}}));
  ASSERT_THAT(node.open(), IsOk());

  const auto wide = node.process(one(tensor_of<float>({4}, {1, 2, 3, 4})));
  const auto whole = node.process(one(tensor_of<std::int64_t>({3}, {1, 2, 3})));

  EXPECT_THAT(wide.status, FailsWith("infer.shape", "takes [N,3]"));
  EXPECT_THAT(whole.status, FailsWith("infer.shape", "takes f32"));
  EXPECT_THAT(floats(node.process(one(tensor_of<float>({3}, {-1, 2, 3})))), ElementsAre(0, 2, 3));
}

TEST_P(InferOnEachBackend, HandsTheModelsMetadataToWhatReadsItsOutputs) {
  const std::string model = wide_model().metadata("character", "a\nb").save("characters.onnx");
  NodeHarness node("infer", {{"model", model}, {"backend", GetParam()}});
  ASSERT_THAT(node.open(), IsOk());

  const auto& metadata = node.ports().outputs.at(0).type.metadata;

  ASSERT_NE(metadata, nullptr);
  EXPECT_EQ(metadata->at("character"), "a\nb");
  EXPECT_EQ(metadata->at("sluice.backend"), GetParam());
}

TEST_P(InferOnEachBackend, SaysWhatIsWrongWithTheModelFile) {
  const std::string bytes = wide_model().bytes();
  const std::string half = testing::save_bytes("half.onnx", bytes.substr(0, bytes.size() / 2));
  const std::string text = testing::save_bytes("text.onnx", "# not a model\n");

  EXPECT_THAT(problem_of({{"model", "/nowhere/m.onnx"}, {"backend", GetParam()}}),
              HasSubstr("SL0501 cannot read model"));
  EXPECT_THAT(problem_of({{"model", half}, {"backend", GetParam()}}), HasSubstr("SL0502"));
  EXPECT_THAT(problem_of({{"model", half}, {"backend", GetParam()}}),
              HasSubstr("download it again"));
  EXPECT_THAT(problem_of({{"model", text}, {"backend", GetParam()}}),
              HasSubstr("takes an ONNX file"));
}

// A model of one operator that the native engine does not know; the test fails once it does.
TEST(Infer, TurnsToAPluginForWhatNativeLacks) {
  const std::string model = OnnxWriter(14)
                                .input("x", {"N", 3})
                                .constant("axis", tensor_of<std::int64_t>(Shape{}, {1}))
                                .node("CumSum", {"x", "axis"}, {"y"})
                                .output("y")
                                .save("sums.onnx");
  ASSERT_THAT(find_backend("native")->load(model, {}), FailsWith("model.unsupported", "CumSum"));
  if (!find_backend("openvino")->available() && !find_backend("onnxruntime")->available()) {
    EXPECT_THAT(problem_of({{"model", model}}), HasSubstr("onnxruntime is not there"));
    GTEST_SKIP() << find_backend("onnxruntime")->available().message();
  }
  NodeHarness node("infer", {{"model", model}});
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process(one(tensor_of<float>({3}, {1, 2, 3})));

  EXPECT_THAT(floats(run), ElementsAre(1, 3, 6));
  EXPECT_THAT(node.ports().model.why, HasSubstr("native cannot run it: "));
}

TEST(Infer, NamesTheOperatorsThatAreMissingAndWhatToDo) {
  const std::string model = OnnxWriter()
                                .input("x", {"N", 1})
                                .node("Frobnicate", {"x"}, {"y"})
                                .output("y")
                                .save("frobnicate.onnx");

  EXPECT_THAT(problem_of({{"model", model}}), HasSubstr("SL0503"));
  EXPECT_THAT(problem_of({{"model", model}}), HasSubstr("Frobnicate (node 0, output 'y')"));
  EXPECT_THAT(problem_of({{"model", model}}), HasSubstr("| export the model"));
}

TEST_P(InferOnEachBackend, SuggestsTheOutputOrInputThatIsMeant) {
  const std::string model = wide_model().save("wide.onnx");
  const OptionList wrong_output{
      {"model", model}, {"backend", GetParam()}, {"outputs", TextMap{{"out", "yy"}}}};

  EXPECT_THAT(problem_of(wrong_output), HasSubstr("SL0505"));
  EXPECT_THAT(problem_of(wrong_output), HasSubstr("did you mean 'y'?"));
  EXPECT_THAT(problem_of({{"model", model}, {"backend", GetParam()}}, {{"image", tensor_type({})}}),
              HasSubstr("SL0506 the model has no input `image` | inputs: x"));
}

// Which of the two it is depends on the CPU, and on SLUICE_ISA.
TEST(Infer, ComputesInBf16OrOffersAnotherPrecision) {
  const std::string model = wide_model().save("wide.onnx");
  const kernels::SimdKernels* simd = kernels::simd_kernels(kernels::isa());

  if (simd != nullptr && simd->product_bf16 != nullptr) {
    NodeHarness node("infer", {{"model", model}, {"precision", "bf16"}});
    EXPECT_THAT(node.open(), IsOk());
  } else {
    EXPECT_THAT(problem_of({{"model", model}, {"precision", "bf16"}}),
                HasSubstr("| use bf16_if_available or fp32"));
  }
  NodeHarness willing("infer", {{"model", model}, {"precision", "bf16_if_available"}});
  EXPECT_THAT(willing.open(), IsOk());
}

TEST(Infer, RefusesABatchLargerThanTheModelsFixedOne) {
  const std::string model =
      OnnxWriter().input("x", {2, 3}).node("Relu", {"x"}, {"y"}).output("y").save("fixed.onnx");
  CommonOptions common;
  common.batch_max = 4;
  NodeHarness node("infer", {{"model", model}}, common);

  EXPECT_FALSE(node.open().is_ok());
  ASSERT_FALSE(node.problems().empty());
  EXPECT_EQ(node.problems().front().code, "SL0504");
}

}  // namespace
}  // namespace sluice
