#include "sluice/nodes/infer/gpu/gpu_program.h"
#include "sluice/nodes/infer/gpu/precision_check.h"

#include "tests/nodes/infer/gpu/emulated_gpu.h"
#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

#include <algorithm>

#ifdef SLUICE_EMULATED_CUDA

namespace sluice::testing {
namespace {

using gpu::Arithmetic;

std::shared_ptr<const Model> loaded(const std::string& path) {
  auto model = find_backend("native")->load(path, {});
  EXPECT_TRUE(model) << model.status().message();
  return *model;
}

// relu(x * 30000 + x): beyond what fp16 holds from 2.2 on.
std::string large_numbers() {
  return OnnxWriter()
      .input("x", {"N", 4})
      .constant("factor", {1}, {30000.0F})
      .node("Mul", {"x", "factor"}, {"scaled"})
      .node("Mul", {"scaled", "factor"}, {"y"})
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

}  // namespace
}  // namespace sluice::testing

#endif
