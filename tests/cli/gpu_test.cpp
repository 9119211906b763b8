#include "tests/cli/program.h"
#include "tests/nodes/image/pictures.h"
#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

// The program on a machine with a GPU, which is emulated: its operators are our own kernels on the
// host.

#ifdef SLUICE_EMULATED_CUDA

namespace sluice {
namespace {

using testing::attribute;
using ::testing::ContainsRegex;
using testing::Finished;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::tensor_of;
using testing::Workplace;

constexpr int kPictures = 24;
constexpr const char* kGpu = "LD_LIBRARY_PATH=$FAKES/driver SLUICE_BACKENDS=$FAKES/emulated ";

std::vector<float> ramp(std::size_t count, float step) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = step * static_cast<float>(static_cast<int>(i % 7) - 3);
  }
  return values;
}

// Four classes of pictures of any size and batch.
std::string classifier(int channels = 1) {
  const auto weights = static_cast<std::size_t>(72 * channels);
  return testing::OnnxWriter()
      .input("x", {"N", channels, "H", "W"})
      .constant("w", tensor_of<float>({8, channels, 3, 3}, ramp(weights, 0.1F)))
      .constant("b", tensor_of<float>({8}, ramp(8, 0.2F)))
      .constant("fc", tensor_of<float>({8, 4}, ramp(32, 0.3F)))
      .node("Conv", {"x", "w", "b"}, {"c"},
            {attribute("pads", std::vector<std::int64_t>{1, 1, 1, 1})})
      .node("Relu", {"c"}, {"r"})
      .node("GlobalAveragePool", {"r"}, {"p"})
      .node("Flatten", {"p"}, {"f"})
      .node("MatMul", {"f", "fc"}, {"y"})
      .output("y")
      .bytes();
}

class Gpu : public ::testing::Test {
 protected:
  Gpu() {
    std::ofstream(folder_.path() / "model.onnx", std::ios::binary) << classifier();
    for (int i = 0; i < kPictures; ++i) {
      testing::PngContent picture{6, 5, 8, 0};
      picture.rows.assign(30, static_cast<std::uint8_t>(10 * i));
      const testing::FileBytes bytes = testing::png_file(picture);
      std::ofstream(folder_.path() / ("p" + std::to_string(10 + i) + ".png"), std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
    }
    std::ofstream(folder_.path() / "classify.yaml") << R"(
nodes:
  files:  { type: files, glob: "p*.png" }
  photo:  { type: image.decode, from: files }
  input:  { type: image.to_tensor, from: photo, width: 6, height: 5, channels: grey }
  model:  { type: infer, from: input, model: ./model.onnx, batch: { max: 4 } }
  best:   { type: argmax, from: model }
  out:    { type: jsonl.write, from: best, path: ./out.jsonl, fields: { file: item.key, class: value } }
)";
  }

  Finished sluice(const std::string& before, const std::string& rest) const {
    return testing::run(before + "sluice run classify.yaml --overwrite " + rest, folder_.path());
  }
  std::string results() const {
    std::ifstream file(folder_.path() / "out.jsonl");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const Workplace folder_;
};

TEST_F(Gpu, GivesWhatTheCpuGives) {
  ASSERT_EQ(sluice("", "").exit_code, 0);
  const std::string on_cpu = results();
  ASSERT_EQ(std::count(on_cpu.begin(), on_cpu.end(), '\n'), kPictures);

  const Finished finished = sluice(kGpu, "--set nodes.model.device=cuda");

  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("lanes on device cuda:0, fp16"));
  EXPECT_EQ(results(), on_cpu);
}

// Which channel is the largest changes twice from the dark pictures to the bright ones.
TEST_F(Gpu, RunsTheNodesAroundAModelToo) {
  std::ofstream(folder_.path() / "classify.yaml") << R"(
params: { device: cpu }
nodes:
  files:  { type: files, glob: "p*.png" }
  photo:  { type: image.decode, from: files }
  input:  { type: image.to_tensor, from: photo, mean: [0.3, 0.5, 0.5], std: [1, 0.5, 2], device: "${params.device}" }
  share:  { type: softmax, from: input, axis: 0, device: "${params.device}" }
  place:  { type: argmax, from: share, axis: 0, device: "${params.device}" }
  most:   { type: topk, from: share, axis: 0, k: 2, device: "${params.device}" }
  rest:   { type: discard, from: most.scores }
  out:    { type: jsonl.write, from: place, path: ./out.jsonl, fields: { file: item.key, first: value } }
)";
  ASSERT_EQ(sluice("", "").exit_code, 0);
  const std::string on_cpu = results();
  for (const char* place : {"[[0,0", "[[1,1", "[[2,2"}) EXPECT_THAT(on_cpu, HasSubstr(place));

  const Finished finished = sluice(kGpu, "-p device=cuda");

  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(results(), on_cpu);
  EXPECT_EQ(sluice("SLUICE_BACKENDS=none ", "-p device=cuda").exit_code, 2);
}

// From the pictures' bytes to the classes it is one piece of work.
TEST_F(Gpu, RunsAWholeClassifier) {
  std::ofstream(folder_.path() / "colours.onnx", std::ios::binary) << classifier(3);
  std::ofstream(folder_.path() / "classify.yaml") << R"(
nodes:
  files:  { type: files, glob: "p*.png" }
  photo:  { type: image.decode, from: files }
  input:  { type: image.to_tensor, from: photo, width: 6, height: 5, mean: [0.3, 0.5, 0.5], std: [0.1, 0.05, 0.2] }
  model:  { type: infer, from: input, model: ./colours.onnx, precision: fp32, batch: { max: 4 } }
  share:  { type: softmax, from: model }
  best:   { type: topk, from: share, k: 1 }
  out:    { type: jsonl.write, from: best.indices, path: ./out.jsonl, fields: { file: item.key, class: value } }
)";
  ASSERT_EQ(sluice("", "").exit_code, 0);
  const std::string on_cpu = results();
  for (const char* found : {"[2]", "[3]"}) EXPECT_THAT(on_cpu, HasSubstr(found));
  const Finished plan =
      testing::run(std::string(kGpu) + "sluice plan classify.yaml", folder_.path());
  EXPECT_THAT(plan.out, ContainsRegex("input +-> +model\\.x .* on cuda:0, fused"));

  const Finished finished = sluice(kGpu, "");

  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(results(), on_cpu);
  const Finished lost = sluice(std::string(kGpu) + "FAKE_LOST_AT=45 ", "");
  EXPECT_EQ(lost.exit_code, 3) << lost.err;
  EXPECT_THAT(lost.err,
              HasSubstr("goes on on the CPU: node `input + model + share + best`, lane "));
  EXPECT_THAT(results(), HasSubstr("p33.png"));
}

// What two models read is made once, and is copied on the device for the one it is not fused with.
TEST_F(Gpu, KeepsWhatOnlyItsNodesRead) {
  std::ofstream(folder_.path() / "colours.onnx", std::ios::binary) << classifier(3);
  std::ofstream(folder_.path() / "classify.yaml") << R"(
nodes:
  files:  { type: files, glob: "p*.png" }
  photo:  { type: image.decode, from: files }
  input:  { type: image.to_tensor, from: photo, width: 6, height: 5, mean: [0.3, 0.5, 0.5], std: [0.1, 0.05, 0.2] }
  one:    { type: infer, from: input, model: ./colours.onnx, precision: fp32, batch: { max: 4 } }
  two:    { type: infer, from: input, model: ./colours.onnx, precision: fp32, batch: { max: 2 } }
  first:  { type: argmax, from: one }
  second: { type: argmax, from: two }
  out:    { type: jsonl.write, from: { a: first, b: second }, path: ./out.jsonl, fields: { file: item.key, a: a, b: b } }
)";
  const Finished on_cpu = sluice("", "");
  ASSERT_EQ(on_cpu.exit_code, 0) << on_cpu.err;
  const std::string expected = results();
  const Finished plan =
      testing::run(std::string(kGpu) + "sluice plan classify.yaml", folder_.path());
  EXPECT_THAT(plan.out, ContainsRegex("input +-> +one\\.x .* on cuda:0, fused"));
  EXPECT_THAT(plan.out,
              ContainsRegex("input +-> +two\\.x .* on cuda:0, after d2d 360 B f32, then d2d"));

  const Finished finished = sluice(kGpu, "");

  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(results(), expected);
  const Finished lost = sluice(std::string(kGpu) + "FAKE_LOST_AT=70 ", "");
  EXPECT_EQ(lost.exit_code, 3) << lost.err;
  EXPECT_THAT(lost.err, HasSubstr("IN=" + std::to_string(kPictures) + " "));
}

TEST_F(Gpu, IsTakenByItselfWhereThereIsOne) {
  const Finished finished = sluice(kGpu, "");

  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("lanes on device cuda:0"));
}

// Grey pictures are made into tensors on the CPU alone, and so the model is where the way begins.
TEST_F(Gpu, IsTakenAlongByTheNodesBesideAModel) {
  const Finished plan =
      testing::run(std::string(kGpu) + "sluice plan classify.yaml", folder_.path());

  EXPECT_THAT(plan.out, ContainsRegex("model +infer .* device cuda:0, 4 streams"));
  EXPECT_THAT(plan.out, ContainsRegex("best +argmax .* device cuda:0"));
  EXPECT_THAT(plan.out, ContainsRegex("input +image.to_tensor +per files +parallel auto\n"));
  EXPECT_THAT(plan.out, HasSubstr("on cuda:0, fused"));
}

TEST_F(Gpu, IsNotTakenByItselfForNodesThatDoLittle) {
  std::ofstream(folder_.path() / "classify.yaml") << R"(
nodes:
  files:  { type: files, glob: "p*.png" }
  photo:  { type: image.decode, from: files }
  input:  { type: image.to_tensor, from: photo }
  best:   { type: argmax, from: input, axis: 0 }
  out:    { type: jsonl.write, from: best, path: ./out.jsonl, fields: { file: item.key, class: value } }
)";
  const Finished plan =
      testing::run(std::string(kGpu) + "sluice plan classify.yaml", folder_.path());

  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_THAT(plan.out, Not(HasSubstr("cuda")));
}

TEST_F(Gpu, ThatIsLostLeavesTheRestToTheCpuWhereNobodyAskedForIt) {
  const std::string lost = std::string(kGpu) + "FAKE_LOST_AT=18 ";

  const Finished finished =
      sluice(lost, "--set nodes.model.precision=fp16 --set nodes.model.streams=1");

  EXPECT_THAT(finished.err, HasSubstr("goes on on the CPU: node `model + best`, lane "));
  EXPECT_THAT(finished.err, HasSubstr("an illegal memory access"));
  // What was on it is rejected and named, what came later is there.
  EXPECT_EQ(finished.exit_code, 3) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("IN=" + std::to_string(kPictures) + " "));
  EXPECT_THAT(finished.err, HasSubstr("device.lost"));
  EXPECT_THAT(results(), HasSubstr("p33.png"));
}

// The model is tried before the first item moves.
TEST_F(Gpu, ThatDoesNotWorkIsFoundWhenTheRunStarts) {
  const std::string lost = std::string(kGpu) + "FAKE_LOST_AT=2 ";

  const Finished free = sluice(lost, "--set nodes.model.precision=fp16");
  const Finished bound =
      sluice(lost, "--set nodes.model.precision=fp16 --set nodes.model.device=cuda");

  EXPECT_EQ(free.exit_code, 0) << free.err;
  EXPECT_THAT(free.err,
              HasSubstr("model + best: runs on the CPU: trying `model.onnx` on cuda:0: "));
  EXPECT_EQ(bound.exit_code, 2) << bound.err;
  EXPECT_THAT(bound.err, HasSubstr("error: model + best: trying `model.onnx` on cuda:0: "));
}

TEST_F(Gpu, ThatIsLostEndsARunThatIsMeantForIt) {
  const std::string lost = std::string(kGpu) + "FAKE_LOST_AT=40 ";

  const Finished finished =
      sluice(lost, "--set nodes.model.precision=fp16 --set nodes.model.device=cuda");

  EXPECT_EQ(finished.exit_code, 1) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("an illegal memory access"));
  EXPECT_THAT(finished.err, Not(HasSubstr("goes on on the CPU")));
}

}  // namespace
}  // namespace sluice

#endif
