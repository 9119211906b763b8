#include "sluice/nodes/infer/gpu/precision_check.h"

#include "tests/nodes/infer/gpu/emulated_gpu.h"
#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <filesystem>

#ifdef SLUICE_EMULATED_CUDA

namespace sluice::testing {
namespace {

using gpu::Arithmetic;

std::shared_ptr<const Model> loaded(const std::string& path) {
  auto model = find_backend("native")->load(path, {});
  EXPECT_TRUE(model) << model.status().message();
  return *model;
}

// 30000 * 30000 * x, stored in between: what is not near 0 is beyond what fp16 holds.
std::string large_numbers() {
  return OnnxWriter()
      .input("x", {"N", 1})
      .constant("factor", tensor_of<float>({1, 1}, {30000.0F}))
      .node("MatMul", {"x", "factor"}, {"large"})
      .node("MatMul", {"large", "factor"}, {"y"})
      .output("y")
      .save("large_numbers.onnx");
}

double error_in(Arithmetic arithmetic, const std::string& path) {
  const auto model = loaded(path);
  const auto gpu = std::make_shared<gpu::GpuModel>(graph_of(model), emulated_gpu(), arithmetic);
  const auto check = gpu::check_precision(*model, gpu);
  EXPECT_TRUE(check) << check.status().message();
  return check->error.value_or(-1);
}

TEST(PrecisionCheck, SeesWhatSixteenBitsCannotHold) {
  EXPECT_EQ(error_in(Arithmetic::kFp32, large_numbers()), 0);
  EXPECT_LT(error_in(Arithmetic::kBf16, large_numbers()), 0.02);
  EXPECT_GT(error_in(Arithmetic::kFp16, large_numbers()), 1);
}

// Trained models, on small images: what the lowering makes of them is what the CPU computes.
class TrainedModels : public ::testing::TestWithParam<const char*> {};

TEST_P(TrainedModels, AreOnAGpuWhatTheyAreOnTheCpu) {
  const auto path = std::filesystem::path(SLUICE_SOURCE_DIR) / "examples/ocr/models" / GetParam();
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "examples/ocr/fetch_models.sh gets " << path;
  }

  EXPECT_LT(error_in(Arithmetic::kFp32, path), 1e-4);
  EXPECT_LT(error_in(Arithmetic::kFp16, path), 0.02);
}

INSTANTIATE_TEST_SUITE_P(Ocr, TrainedModels,
                         ::testing::Values("PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"),
                         [](const auto& info) { return "v6" + std::string(info.param, 9, 3); });

}  // namespace
}  // namespace sluice::testing

#endif
