// Every operator on the device against the references in double precision (M3): the cases of
// tests/runtime/cuda, which run there on the host.
//   gpu_operators [--device cuda|emulated] [tf32] [--gtest_filter=...]
// tf32: products of f32 may be computed in it; then only their errors count, not single elements.
#include "tests/gpu/support/arguments.h"
#include "tests/gpu/support/device_case.h"
#include "tests/gpu/support/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

namespace sluice::gpu_suite {
namespace {

int run(const Arguments& arguments) {
  const bool in_tf32 = std::ranges::find(arguments.names, "tf32") != arguments.names.end();
  const std::string pattern = in_tf32 ? "m3.rel_tf32" : "m3.[cfr]*";
  const std::string problem = open_case_device(arguments.device, in_tf32);
  if (!problem.empty()) {
    unmeasured(pattern, problem);
    return kNoDevice;
  }
  if (RUN_ALL_TESTS() != 0) std::fprintf(stderr, "gpu_operators: some cases differ\n");
  const auto& errors = case_errors();
  const auto error_of = [&](const char* type) {
    const auto found = errors.find(type);
    return found == errors.end() ? 0 : found->second;
  };
  if (in_tf32) {
    report("m3.rel_tf32", error_of("f32"), "relative");
    return 0;
  }
  report("m3.cases", testing::UnitTest::GetInstance()->test_to_run_count(), "tests");
  report("m3.failures", testing::UnitTest::GetInstance()->failed_test_count(), "tests");
  report("m3.rel_fp32", error_of("f32"), "relative");
  report("m3.rel_fp16", error_of("f16"), "relative");
  report("m3.rel_bf16", error_of("bf16"), "relative");
  return 0;
}

}  // namespace
}  // namespace sluice::gpu_suite

int main(int count, char** words) {
  testing::InitGoogleTest(&count, words);
  return sluice::gpu_suite::main_of(count, words, sluice::gpu_suite::run);
}
