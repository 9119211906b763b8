#include "sluice/runtime/pipeline.h"

#include "sluice/core/model.h"
#include "sluice/graphs/make_plan.h"

#include "tests/nodes/image/pictures.h"
#include "tests/nodes/infer/backends/each_backend.h"
#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <set>

// The `infer` node in a pipeline as a user writes it.

namespace sluice {
namespace {

using testing::flat_image;
using ::testing::HasSubstr;
using testing::OnnxWriter;
using testing::tensor_of;
using testing::values_of;

PipelineResult load(const std::string& yaml) {
  return Pipeline::load(plan_text(yaml, "test.yaml"));
}

// Pictures of any width, four pixels high, through a model that gives their pixels back.
std::string pixels_pipeline(const std::string& dims_model, const std::string& infer_options) {
  return R"(
nodes:
  photos: { type: app_in, payload: Image }
  tensor: { type: image.to_tensor, from: photos, height: 4, channels: grey, std: 0.00392156862745098 }
  model:  { type: infer, from: tensor, model: )" +
         dims_model + infer_options + R"( }
  end:    { type: app_out, from: model }
)";
}

std::string relu_model(const std::vector<testing::OnnxDim>& dims, const std::string& name) {
  return OnnxWriter().input("x", dims).node("Relu", {"x"}, {"y"}).output("y").save(name);
}

class InferPipelineOnEachBackend : public testing::EachBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, InferPipelineOnEachBackend, testing::all_backends(),
                         testing::backend_of);

TEST_P(InferPipelineOnEachBackend, GivesEachItemItsOwnSizeThoughTheyArePaddedToBuckets) {
  const std::string model = relu_model({"N", 1, 4, "W"}, "any_width.onnx");
  PipelineResult loaded = load(pixels_pipeline(
      model, std::string(", batch: { max: 8, wait: 1ms, pad: { w: { step: 160, max: 3200 } } }, "
                         "parallel: 2, backend: ") +
                 GetParam()));
  ASSERT_TRUE(loaded) << loaded.error();
  Pipeline pipeline = std::move(*loaded);
  std::vector<Tensor> got;
  pipeline.output<Tensor>("end", [&](const Tensor& tensor) { got.push_back(tensor); });
  ASSERT_TRUE(pipeline.start().is_ok());
  Input<Image> photos = pipeline.input<Image>("photos");

  const std::vector<int> widths{1, 159, 160, 161, 7, 640, 3200};
  for (const int width : widths) photos.push(flat_image(width, 4, 3, width % 200));
  const Ticket wide = photos.push(flat_image(3201, 4, 3, 9));
  const Report report = pipeline.drain(std::chrono::seconds(60));

  EXPECT_EQ(report.items.delivered, widths.size());
  EXPECT_EQ(wide.wait(), Outcome::kRejected);
  EXPECT_THAT(wide.status(), testing::FailsWith("infer.pad", "axis w is 3201"));
  ASSERT_EQ(got.size(), widths.size());
  for (std::size_t i = 0; i < widths.size(); ++i) {
    EXPECT_EQ(got[i].shape(), (Shape{1, 4, widths[i]}));
    const auto values = values_of<float>(got[i]);
    EXPECT_NEAR(values.front(), static_cast<float>(widths[i] % 200), 1e-3F);
    EXPECT_NEAR(values.back(), static_cast<float>(widths[i] % 200), 1e-3F);
  }
}

// OpenVINO brings an oneTBB of its own under the same name. The one that is there first, ours, has
// to serve both: two in one process would share symbols and nothing else.
TEST(InferPipeline, HasOneTbbWhateverTheBackendsBring) {
  for (const auto& backend : backends()) static_cast<void>(backend->available());

  std::set<std::string> files;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::size_t path = line.find('/');
    if (path != std::string::npos && line.find("/libtbb.so") != std::string::npos)
      files.insert(line.substr(path));
  }

  EXPECT_EQ(files.size(), 1U) << ::testing::PrintToString(files);
}

TEST(InferPipeline, GivesOcrCtcTheCharactersOfTheModel) {
  // Two steps of three classes, the same for every picture: "b", then the blank.
  const std::string model =
      OnnxWriter()
          .input("x", {"N", 1, 4, 4})
          .constant("axes", tensor_of<std::int64_t>(Shape{3}, {1, 2, 3}))
          .constant("zero", tensor_of<float>(Shape{}, {0}))
          .constant("steps", tensor_of<float>(Shape{1, 2, 3}, {0.1F, 0.1F, 0.8F, 0.9F, 0, 0.1F}))
          .constant("flat", tensor_of<std::int64_t>(Shape{3}, {-1, 1, 1}))
          .node("GlobalAveragePool", {"x"}, {"mean"})
          .node("Mul", {"mean", "zero"}, {"none"})
          .node("Reshape", {"none", "flat"}, {"one"})
          .node("Add", {"one", "steps"}, {"y"})
          .output("y")
          .metadata("character", "a\nb")
          .save("ctc.onnx");
  PipelineResult loaded = load(R"(
nodes:
  photos: { type: app_in, payload: Image }
  tensor: { type: image.to_tensor, from: photos, width: 4, height: 4, channels: grey }
  model:  { type: infer, from: tensor, model: )" +
                               model + R"( }
  text:   { type: ocr.ctc, from: model }
  end:    { type: app_out, from: text }
)");
  ASSERT_TRUE(loaded) << loaded.error();
  Pipeline pipeline = std::move(*loaded);
  pipeline.output<TextLine>("end", [](const TextLine&) {});
  ASSERT_TRUE(pipeline.start().is_ok());

  const Ticket ticket = pipeline.input<Image>("photos").push(flat_image(4, 4, 3, 7));

  ASSERT_EQ(ticket.wait(), Outcome::kDelivered) << ticket.status().message();
  ASSERT_NE(ticket.reply<TextLine>(), nullptr);
  EXPECT_EQ(ticket.reply<TextLine>()->text, "b");
  pipeline.drain(std::chrono::seconds(60));
}

// What comes out of the graph is checked against the model before the run.
TEST(InferPipeline, SaysAtLoadWhatDoesNotFitTheModel) {
  const auto error = [](const std::string& model) {
    const PipelineResult loaded = load(pixels_pipeline(model, ""));
    EXPECT_FALSE(loaded);
    return loaded.error();
  };
  const std::string whole = OnnxWriter()
                                .input("x", {"N", 1, 4, "W"}, DType::kI64)
                                .node("Identity", {"x"}, {"y"})
                                .output("y")
                                .save("i64.onnx");

  EXPECT_THAT(error(relu_model({"N", 3, 4, "W"}, "rgb.onnx")), HasSubstr("[3,4,W]"));
  EXPECT_THAT(error(relu_model({"N", 4, "W"}, "flat.onnx")), HasSubstr("[4,W]"));
  EXPECT_THAT(error(whole), HasSubstr("i64"));
  EXPECT_THAT(error("/nowhere/m.onnx"), HasSubstr("SL0501"));
}

}  // namespace
}  // namespace sluice
