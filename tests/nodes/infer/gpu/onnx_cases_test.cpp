#include "tests/nodes/infer/backends/onnx_cases.h"

#include "tests/nodes/infer/gpu/emulated_gpu.h"

#include <gtest/gtest.h>

#include <iostream>

#ifdef SLUICE_EMULATED_CUDA

namespace sluice::testing {
namespace {

class OnnxOnEmulatedGpu : public ::testing::TestWithParam<const char*> {};

// In f32 the bounds are the CPU's; what it computes, a GPU does, too.
TEST_P(OnnxOnEmulatedGpu, PassesEveryCaseThatTheNativeBackendDoes) {
  ASSERT_FALSE(onnx_testdata().empty()) << "install the Debian package libonnx-testdata";
  const EmulatedGpuBackend gpu(gpu::Arithmetic::kFp32);
  const Backend& native = *find_backend("native");

  int passed = 0;
  for (const auto& folder : onnx_cases(GetParam())) {
    if (run_onnx_case(native, folder).outcome != Outcome::kPassed) continue;
    const CaseResult result = run_onnx_case(gpu, folder);
    EXPECT_EQ(result.outcome, Outcome::kPassed)
        << folder.filename().string() << ": " << result.detail;
    passed += result.outcome == Outcome::kPassed ? 1 : 0;
  }

  std::cout << "emulated GPU, " << GetParam() << ": passed " << passed << "\n";
  EXPECT_GT(passed, 0);
}

// The second run of a shape is recorded, the third is what was recorded.
TEST(OnnxOnEmulatedGpuTest, GivesTheSameWhenWorkIsRecorded) {
  ASSERT_FALSE(onnx_testdata().empty()) << "install the Debian package libonnx-testdata";
  const EmulatedGpuBackend once(gpu::Arithmetic::kFp32), recorded(gpu::Arithmetic::kFp32, 3);

  for (const auto& folder : onnx_cases("pytorch-converted")) {
    EXPECT_EQ(run_onnx_case(recorded, folder).outcome, run_onnx_case(once, folder).outcome)
        << folder.filename().string();
  }
}

INSTANTIATE_TEST_SUITE_P(Groups, OnnxOnEmulatedGpu,
                         ::testing::Values("node", "simple", "pytorch-operator",
                                           "pytorch-converted"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace sluice::testing

#endif
