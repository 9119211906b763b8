#include "sluice/nodes/infer/graph/importer.h"

#include "onnx_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace sluice::graph {
namespace {

using testing::attribute;
using testing::FailsWith;
using testing::IsOk;
using testing::OnnxWriter;
using testing::save_bytes;
using testing::tensor_of;
using testing::values_of;

OnnxWriter relu_model() {
  return OnnxWriter().input("x", {"N", 3}).node("Relu", {"x"}, {"y"}).output("y");
}

TEST(Importer, ReadsInputsOutputsNodesAndMetadata) {
  const auto graph = import_onnx(relu_model().metadata("character", "a\nb").save("relu.onnx"));

  ASSERT_THAT(graph, IsOk());
  ASSERT_EQ(graph->input_ports.size(), 1u);
  EXPECT_EQ(graph->input_ports[0].dims, (std::vector<Dim>{{-1, "N"}, {3, ""}}));
  ASSERT_EQ(graph->nodes.size(), 1u);
  EXPECT_EQ(name_of(graph->nodes[0].operation), "Relu");
  EXPECT_EQ(graph->metadata.at("character"), "a\nb");
}

TEST(Importer, SaysThatTheFileIsMissing) {
  EXPECT_THAT(import_onnx("/nowhere/m.onnx"), FailsWith("model.missing", "/nowhere/m.onnx"));
  EXPECT_THAT(import_onnx(::testing::TempDir()), FailsWith("model.missing", "directory"));
}

TEST(Importer, SaysThatTheFileIsTruncatedAndHowLongItIs) {
  const std::string bytes = relu_model().bytes();
  const std::string path = save_bytes("short.onnx", bytes.substr(0, bytes.size() / 2));

  EXPECT_THAT(import_onnx(path), FailsWith("model.truncated", path + " ("));
  EXPECT_THAT(import_onnx(save_bytes("empty.onnx", "")), FailsWith("model.truncated", "0 bytes"));
}

TEST(Importer, SaysThatTheFileIsNoModel) {
  EXPECT_THAT(import_onnx(save_bytes("text.onnx", "# not a model at all\n")),
              FailsWith("model.invalid"));
}

TEST(Importer, ListsEveryOperatorThatIsMissingAndWhereItStands) {
  const std::string path = OnnxWriter()
                               .input("x", {1})
                               .node("Frobnicate", {"x"}, {"a"})
                               .node("Relu", {"a"}, {"b"})
                               .node("NonZero", {"b"}, {"y"})
                               .output("y")
                               .save("missing_ops.onnx");

  const auto graph = import_onnx(path);

  EXPECT_THAT(graph, FailsWith("model.unsupported", "Frobnicate (node 0, output 'a')"));
  EXPECT_THAT(graph, FailsWith("model.unsupported", "NonZero (node 2, output 'y')"));
}

TEST(Importer, LooksOnlyAtWhatTheChosenOutputsNeed) {
  const std::string path = OnnxWriter()
                               .input("x", {1})
                               .node("Relu", {"x"}, {"y"})
                               .node("Frobnicate", {"x"}, {"z"})
                               .output("y")
                               .output("z")
                               .save("two_outputs.onnx");

  EXPECT_THAT(import_onnx(path), FailsWith("model.unsupported"));
  const auto graph = import_onnx(path, {{"y"}});
  ASSERT_THAT(graph, IsOk());
  EXPECT_EQ(graph->nodes.size(), 1u);
  EXPECT_THAT(import_onnx(path, {{"w"}}), FailsWith("model.output", "its outputs are: y, z"));
}

TEST(Importer, SuggestsTheOutputThatIsNearest) {
  const std::string path =
      relu_model().node("Relu", {"y"}, {"scores"}).output("scores").save("near.onnx");

  EXPECT_THAT(import_onnx(path, {{"score"}}), FailsWith("model.output", "mean 'scores'?"));
  EXPECT_THAT(import_onnx(path, {{"boxes"}}), FailsWith("model.output", "'boxes'; its"));
}

TEST(Importer, RefusesANodeThatReadsWhatNothingMakes) {
  const std::string path = OnnxWriter()
                               .input("x", {1})
                               .node("Add", {"x", "ghost"}, {"y"})
                               .output("y")
                               .save("ghost.onnx");

  EXPECT_THAT(import_onnx(path), FailsWith("model.invalid", "'ghost'"));
}

TEST(Importer, ReadsExternalDataBeneathTheModelsFolder) {
  const std::vector<float> values{1, 2, 3};
  save_bytes("weights.bin", {reinterpret_cast<const char*>(values.data()), 12});
  const std::string path = OnnxWriter()
                               .input("x", {3})
                               .external("w", Shape{3}, "weights.bin")
                               .node("Add", {"x", "w"}, {"y"})
                               .output("y")
                               .save("external.onnx");

  const auto graph = import_onnx(path);

  ASSERT_THAT(graph, IsOk());
  const Tensor* weights = graph->constant_of(graph->nodes[0], 1);
  ASSERT_NE(weights, nullptr);
  EXPECT_EQ(values_of<float>(*weights), values);
}

TEST(Importer, RefusesExternalDataOutsideTheModelsFolder) {
  const auto import_from = [](const std::string& location) {
    return import_onnx(OnnxWriter()
                           .input("x", {3})
                           .external("w", Shape{3}, location)
                           .node("Add", {"x", "w"}, {"y"})
                           .output("y")
                           .save("outside.onnx"));
  };
  const std::string model = relu_model().save("beside_the_link.onnx");
  const auto link = std::filesystem::path(model).replace_filename("link.bin");
  std::filesystem::remove(link);
  std::filesystem::create_symlink("/etc/hostname", link);

  EXPECT_THAT(import_from("../weights.bin"), FailsWith("model.invalid", "not beneath"));
  EXPECT_THAT(import_from("/etc/hostname"), FailsWith("model.invalid", "not beneath"));
  EXPECT_THAT(import_from("link.bin"), FailsWith("model.invalid", "not beneath"));
}

TEST(Importer, RefusesATensorWhoseDataDoesNotFillItsShape) {
  Tensor wrong = tensor_of<float>(Shape{3}, {1, 2, 3});
  std::string bytes = OnnxWriter()
                          .input("x", {3})
                          .constant("w", wrong)
                          .node("Add", {"x", "w"}, {"y"})
                          .output("y")
                          .bytes();
  // The tensor begins with its extent 3: field 1, varint.
  const std::size_t at = bytes.find(std::string("\x08\x03\x10\x01", 4));
  ASSERT_NE(at, std::string::npos);
  bytes[at + 1] = 4;

  EXPECT_THAT(import_onnx(save_bytes("fill.onnx", bytes)), FailsWith("model.invalid", "12 bytes"));
}

TEST(Importer, TakesTheBoundsOfClipFromAttributesBeforeOperatorSet11AndFromInputsSince) {
  const auto old_style =
      import_onnx(OnnxWriter(6)
                      .input("x", {3})
                      .node("Clip", {"x"}, {"y"}, {attribute("min", 0.0f), attribute("max", 6.0f)})
                      .output("y")
                      .save("clip6.onnx"));
  const auto new_style = import_onnx(OnnxWriter(11)
                                         .input("x", {3})
                                         .constant("low", tensor_of<float>(Shape{}, {0}))
                                         .constant("high", tensor_of<float>(Shape{}, {6}))
                                         .node("Clip", {"x", "low", "high"}, {"y"})
                                         .output("y")
                                         .save("clip11.onnx"));

  for (const auto* graph : {&old_style, &new_style}) {
    ASSERT_THAT(*graph, IsOk());
    const auto& clip = std::get<Unary>((*graph)->nodes.at(0).operation);
    EXPECT_EQ(clip.kind, UnaryKind::kClip);
    EXPECT_EQ(clip.alpha, 0.0f);
    EXPECT_EQ(clip.beta, 6.0f);
  }
}

TEST(Importer, CoercesSoftmaxToTwoDimensionsBeforeOperatorSet13) {
  const auto extent_at = [](std::int64_t opset) {
    const auto graph = import_onnx(OnnxWriter(opset)
                                       .input("x", {2, 3, 4})
                                       .node("Softmax", {"x"}, {"y"})
                                       .output("y")
                                       .save("softmax.onnx"));
    return std::get<Softmax>(graph->nodes.at(0).operation);
  };

  EXPECT_EQ(extent_at(11).extent, Softmax::Extent::kFromAxis);
  EXPECT_EQ(extent_at(11).axis, 1);
  EXPECT_EQ(extent_at(13).extent, Softmax::Extent::kAxis);
  EXPECT_EQ(extent_at(13).axis, -1);
}

}  // namespace
}  // namespace sluice::graph
