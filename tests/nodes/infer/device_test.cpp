#include "sluice/graphs/make_plan.h"
#include "sluice/runtime/pipeline.h"

#include "tests/nodes/image/pictures.h"
#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/nodes/infer/held_backend.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

// `infer` with `device: sim`: the engine, the lanes and the simulated device as a user has them.

namespace sluice {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::FailsWith;
using testing::flat_image;
using ::testing::HasSubstr;
using testing::OnnxDim;
using testing::OnnxWriter;
using testing::values_of;

constexpr std::chrono::seconds kLongEnough{30};  // only waited for where the engine is broken

std::string pixels(const std::string& model, const std::string& infer_options,
                   const std::string& tensor_options = "height: 4") {
  return R"(
nodes:
  photos: { type: app_in, payload: Image }
  tensor: { type: image.to_tensor, from: photos, channels: grey, std: 0.00392156862745098, )" +
         tensor_options + R"( }
  model:  { type: infer, from: tensor, model: )" +
         model + ", " + infer_options + R"( }
  end:    { type: app_out, from: model }
)";
}

std::string relu_model(const std::vector<OnnxDim>& dims, const std::string& name) {
  return OnnxWriter().input("x", dims).node("Relu", {"x"}, {"y"}).output("y").save(name);
}

Pipeline opened(const std::string& yaml) {
  PipelineResult loaded = Pipeline::load(plan_text(yaml, "test.yaml"));
  EXPECT_TRUE(loaded) << loaded.error();
  return std::move(*loaded);
}

// What the pipeline makes of pictures of these widths, each in one grey.
std::vector<Tensor> run(const std::string& yaml, const std::vector<int>& widths) {
  Pipeline pipeline = opened(yaml);
  std::vector<Tensor> got;
  pipeline.output<Tensor>("end", [&](const Tensor& tensor) { got.push_back(tensor); });
  EXPECT_TRUE(pipeline.start().is_ok());
  Input<Image> photos = pipeline.input<Image>("photos");
  for (std::size_t i = 0; i < widths.size(); ++i) {
    photos.push(flat_image(widths[i], 4, 3, static_cast<int>(i) % 200));
  }
  const Report report = pipeline.drain(kLongEnough);
  EXPECT_EQ(report.items.delivered, widths.size());
  return got;
}

void expect_pixels(const std::vector<Tensor>& got, const std::vector<int>& widths) {
  ASSERT_EQ(got.size(), widths.size());
  for (std::size_t i = 0; i < widths.size(); ++i) {
    EXPECT_EQ(got[i].shape(), (Shape{1, 4, widths[i]}));
    EXPECT_NEAR(values_of<float>(got[i]).front(), static_cast<float>(i % 200), 1e-3F);
    EXPECT_NEAR(values_of<float>(got[i]).back(), static_cast<float>(i % 200), 1e-3F);
  }
}

TEST(InferOnADevice, GivesItemsInTheirOrder) {
  const std::string model = relu_model({"N", 1, 4, "W"}, "device_any.onnx");
  std::vector<int> widths;
  for (int i = 0; i < 150; ++i) widths.push_back(1 + i % 7);

  expect_pixels(run(pixels(model, "device: sim, streams: 3"), widths), widths);
}

TEST(InferOnADevice, GivesEachItemItsOwnSizeThoughTheyArePadded) {
  const std::string model = relu_model({"N", 1, 4, "W"}, "device_padded.onnx");
  const std::vector<int> widths{1, 159, 160, 161, 7, 640, 3200};

  expect_pixels(run(pixels(model,
                           "device: sim, batch: { max: 8, wait: 1ms, pad: { w: { step: 160, max: "
                           "3200 } } }"),
                    widths),
                widths);
}

TEST(InferOnADevice, FillsTheModelsBatch) {
  const std::string model = relu_model({4, 1, 4, 8}, "device_batch.onnx");
  const std::vector<int> widths(10, 8);

  expect_pixels(run(pixels(model, "device: sim, streams: 1, batch: { max: 4, wait: 1ms }"), widths),
                widths);
}

TEST(InferOnADevice, SharesItWithOtherNodes) {
  const std::string model = relu_model({"N", 1, 4, "W"}, "device_shared.onnx");
  std::string yaml = pixels(model, "device: sim, streams: 1");
  yaml.replace(yaml.find("from: model"), 11, "from: again");
  yaml += "  again:  { type: infer, from: model, device: sim, streams: 2, model: " + model + " }\n";
  const std::vector<int> widths(60, 5);

  expect_pixels(run(yaml, widths), widths);
}

TEST(InferOnADevice, RejectsAnItemAndGoesOn) {
  // Takes sizes whose pixels make rows of eight.
  const std::string model = OnnxWriter()
                                .input("x", {"N", 1, 4, "W"})
                                .constant("rows", testing::tensor_of<std::int64_t>({2}, {-1, 8}))
                                .node("Reshape", {"x", "rows"}, {"y"})
                                .output("y")
                                .save("device_rows.onnx");
  Pipeline pipeline = opened(pixels(model, "device: sim, streams: 2"));
  pipeline.output<Tensor>("end", [](const Tensor&) {});
  ASSERT_TRUE(pipeline.start().is_ok());
  Input<Image> photos = pipeline.input<Image>("photos");

  const Ticket good = photos.push(flat_image(4, 4, 3, 1));
  const Ticket bad = photos.push(flat_image(5, 4, 3, 2));
  const Ticket better = photos.push(flat_image(6, 4, 3, 3));

  EXPECT_EQ(good.wait(), Outcome::kDelivered) << good.status().message();
  EXPECT_EQ(bad.wait(), Outcome::kRejected);
  EXPECT_THAT(bad.status().message(), HasSubstr("operator `device_rows.onnx`"));
  EXPECT_EQ(better.wait(), Outcome::kDelivered) << better.status().message();
  pipeline.drain(kLongEnough);
}

TEST(InferOnADevice, IsReportedWithItsLanes) {
  const std::string model = relu_model({"N", 1, 4, "W"}, "device_report.onnx");
  Pipeline pipeline = opened(pixels(model, "device: sim, streams: 3"));

  const Report report = pipeline.report();
  const auto node = std::ranges::find(report.nodes, "model", &NodeStats::name);

  EXPECT_EQ(node->execution, ExecutionClass::kLanes);
  EXPECT_EQ(node->workers, 9u);  // two in flight and one prepared for each
}

testing::Hold& gate() {
  static testing::Hold one;
  return one;
}
[[maybe_unused]] const bool kRegistered =
    testing::register_held_backend("gated", gate(), testing::HeldRuns::kCompute);

TEST(InferOnADevice, LeavesThePoolToTheOtherNodes) {
  RunOptions options;
  options.threads = 1;
  PipelineResult loaded = Pipeline::load(
      plan_text(
          pixels(testing::held_model("gated"), "device: sim, streams: 2", "width: 4, height: 4") +
              R"(
  quick:  { type: app_in, payload: Image }
  small:  { type: image.to_tensor, from: quick, width: 4, height: 4, channels: grey }
  done:   { type: app_out, from: small }
)",
          "test.yaml"),
      options);
  ASSERT_TRUE(loaded) << loaded.error();
  Pipeline pipeline = std::move(*loaded);
  pipeline.output<Tensor>("end", [](const Tensor&) {});
  pipeline.output<Tensor>("done", [](const Tensor&) {});
  ASSERT_TRUE(pipeline.start().is_ok());

  const Ticket slow = pipeline.input<Image>("photos").push(flat_image(4, 4, 3, 1));
  EXPECT_TRUE(gate().started.try_acquire_for(kLongEnough));
  const Ticket quick = pipeline.input<Image>("quick").push(flat_image(4, 4, 3, 2));
  EXPECT_EQ(quick.wait(), Outcome::kDelivered);
  gate().may_end.release();

  EXPECT_EQ(slow.wait(), Outcome::kDelivered) << slow.status().message();
  pipeline.drain(kLongEnough);
}

TEST(InferOnADevice, EndsTheRunAtOnceThoughAKernelDoesNot) {
  {
    Pipeline pipeline =
        opened(pixels(testing::held_model("gated"), "device: sim", "width: 4, height: 4"));
    pipeline.output<Tensor>("end", [](const Tensor&) {});
    ASSERT_TRUE(pipeline.start().is_ok());
    Input<Image> photos = pipeline.input<Image>("photos");
    for (int i = 0; i < 20; ++i) photos.push(flat_image(4, 4, 3, i));
    EXPECT_TRUE(gate().started.try_acquire_for(kLongEnough));

    pipeline.stop();
    const Report report = pipeline.drain(kLongEnough);

    EXPECT_EQ(report.items.delivered, 0u);
    EXPECT_EQ(report.items.rejected, 0u);
  }
  gate().may_end.release(20);  // and what is left of the lanes goes when it has
}

}  // namespace
}  // namespace sluice
