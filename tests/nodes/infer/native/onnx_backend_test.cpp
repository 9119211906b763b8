#include "onnx_cases.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <map>

namespace sluice::testing {
namespace {

std::string reason_in(const std::string& message) {
  const std::size_t at = message.find("not supported: ");
  return at == std::string::npos ? message : message.substr(at + 15);
}

class OnnxBackend : public ::testing::TestWithParam<const char*> {};

// Prints one line and writes onnx_backend_GROUP.txt where it runs: every case and what became of
// it.
TEST_P(OnnxBackend, PassesEveryCaseWhoseOperatorsAreSupported) {
  ASSERT_FALSE(onnx_testdata().empty()) << "install the Debian package libonnx-testdata";
  const Backend* backend = find_backend("native");
  ASSERT_NE(backend, nullptr);

  std::map<Outcome, int> count;
  std::ofstream report(std::string("onnx_backend_") + GetParam() + ".txt");
  for (const auto& folder : onnx_cases(GetParam())) {
    const CaseResult result = run_onnx_case(*backend, folder);
    ++count[result.outcome];
    const char* word = result.outcome == Outcome::kPassed        ? "passed      "
                       : result.outcome == Outcome::kUnsupported ? "unsupported "
                                                                 : "failed      ";
    report << word << folder.filename().string();
    if (!result.detail.empty()) report << ": " << reason_in(result.detail);
    report << "\n";
    EXPECT_TRUE(result.outcome != Outcome::kFailed)
        << folder.filename().string() << ": " << result.detail;
  }

  std::cout << GetParam() << ": passed " << count[Outcome::kPassed] << ", unsupported "
            << count[Outcome::kUnsupported] << ", failed " << count[Outcome::kFailed] << "\n";
  EXPECT_GT(count[Outcome::kPassed], 0);
}

INSTANTIATE_TEST_SUITE_P(Groups, OnnxBackend,
                         ::testing::Values("node", "simple", "pytorch-operator",
                                           "pytorch-converted"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace sluice::testing
