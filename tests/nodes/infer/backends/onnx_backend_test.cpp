#include "tests/nodes/infer/backends/onnx_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <map>
#include <string_view>
#include <tuple>

namespace sluice::testing {
namespace {

std::string reason_in(const std::string& message) {
  const std::size_t at = message.find("not supported: ");
  return at == std::string::npos ? message : message.substr(at + 15);
}

// Cases in which the other engines give something else: random numbers, results that the ONNX
// project corrected after Debian's copy of the cases, and what they get wrong. They are counted.
bool differs(std::string_view backend, const std::string& name) {
  constexpr std::array kBoth{"test_bernoulli",
                             "test_castlike_BFLOAT16_to_FLOAT",
                             "test_castlike_FLOAT_to_BFLOAT16",
                             "test_dft",
                             "test_resize_downsample_scales_cubic_align_corners",
                             "test_resize_downsample_scales_linear_align_corners"};
  constexpr std::array kOnnxRuntime{"test_maxunpool_export_with_output_shape", "test_stft",
                                    "test_training_dropout"};
  constexpr std::array kOpenVino{"test_dynamicquantizelinear",
                                 "test_gru_batchwise",
                                 "test_lstm_batchwise",
                                 "test_lstm_with_peepholes",
                                 "test_operator_add",
                                 "test_reduce_l1_",
                                 "test_reduce_log_sum",
                                 "test_resize_downsample_scales_cubic_A_n0p5_exclude_outside",
                                 "test_resize_upsample_scales_cubic_A_n0p5_exclude_outside",
                                 "test_simple_rnn_batchwise",
                                 "test_tile"};
  const auto begins = [&](const char* start) { return name.starts_with(start); };
  if (backend == "native") return false;
  return std::ranges::any_of(kBoth, begins) ||
         (backend == "onnxruntime" ? std::ranges::any_of(kOnnxRuntime, begins)
                                   : std::ranges::any_of(kOpenVino, begins));
}

class OnnxBackend : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {};

// Prints one line and writes onnx_backend_GROUP_BACKEND.txt where it runs: every case and what
// became of it.
TEST_P(OnnxBackend, PassesEveryCaseWhoseOperatorsAreSupported) {
  ASSERT_FALSE(onnx_testdata().empty()) << "install the Debian package libonnx-testdata";
  const auto [group, name] = GetParam();
  const Backend* backend = find_backend(name);
  ASSERT_NE(backend, nullptr);
  if (const Status there = backend->available(); !there) GTEST_SKIP() << there.message();

  std::map<Outcome, int> count;
  std::ofstream report(std::string("onnx_backend_") + group + "_" + name + ".txt");
  for (const auto& folder : onnx_cases(group)) {
    const CaseResult result = run_onnx_case(*backend, folder);
    ++count[result.outcome];
    const char* word = result.outcome == Outcome::kPassed        ? "passed      "
                       : result.outcome == Outcome::kUnsupported ? "unsupported "
                                                                 : "failed      ";
    report << word << folder.filename().string();
    if (!result.detail.empty()) report << ": " << reason_in(result.detail);
    report << "\n";
    EXPECT_TRUE(result.outcome != Outcome::kFailed || differs(name, folder.filename().string()))
        << folder.filename().string() << ": " << result.detail;
  }

  std::cout << name << ", " << group << ": passed " << count[Outcome::kPassed] << ", unsupported "
            << count[Outcome::kUnsupported] << ", failed " << count[Outcome::kFailed] << "\n";
  EXPECT_GT(count[Outcome::kPassed], 0);
}

INSTANTIATE_TEST_SUITE_P(Groups, OnnxBackend,
                         ::testing::Combine(::testing::Values("node", "simple", "pytorch-operator",
                                                              "pytorch-converted"),
                                            ::testing::Values("native", "openvino", "onnxruntime")),
                         [](const auto& info) {
                           std::string name = std::get<0>(info.param);
                           std::erase(name, '-');
                           return name + "_" + std::get<1>(info.param);
                         });

}  // namespace
}  // namespace sluice::testing
