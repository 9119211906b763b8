#include "tests/cuda/operators.h"
#include "tests/cuda/plans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// That cuDNN compiles attention for devices that are not here.

namespace sluice::cuda {
namespace {

using namespace testing;
using ::testing::Combine;
using ::testing::Values;

class AttentionPlans : public ::testing::TestWithParam<std::tuple<Device, int>> {
 protected:
  void SetUp() override {
    if (!has_driver_library()) GTEST_SKIP() << "cuDNN compiles nothing without libcuda.so.1";
  }
  Planned plan(Attention attention) const {
    attention.type = std::get<1>(GetParam());
    if (attention.mask_type != SLUICE_CUDA_F32) attention.mask_type = attention.type;
    return planned(lane_, operator_of(attention));
  }
  LaneResources lane_ = lane_of(std::get<0>(GetParam()));
};

INSTANTIATE_TEST_SUITE_P(Devices, AttentionPlans,
                         Combine(Values(kA100, kH100), Values(SLUICE_CUDA_F16, SLUICE_CUDA_BF16)));

TEST_P(AttentionPlans, TakeHeadsOfAMultipleOfEight) {
  for (const std::int64_t size : {32, 64, 96, 128}) {
    EXPECT_THAT(plan({.size = size}), IsPlannedAs("cudnn attention engine")) << size;
  }
  EXPECT_THAT(plan({.size = 15}), IsRefusedFor("cuDNN: "));
}

TEST_P(AttentionPlans, TakeMasks) {
  EXPECT_THAT(plan({.mask = Attention::Mask::kFull}), IsPlanned());
  EXPECT_THAT(plan({.mask = Attention::Mask::kOfKeys}), IsPlanned());
  EXPECT_THAT(plan({.mask = Attention::Mask::kOfKeys, .mask_type = SLUICE_CUDA_F32}), IsPlanned());
}

TEST_P(AttentionPlans, TakeAnyLengths) {
  EXPECT_THAT(plan({.batch = 1, .heads = 8, .queries = 37, .keys = 197, .size = 64}), IsPlanned());
  EXPECT_THAT(plan({.batch = 1, .heads = 1, .queries = 1, .keys = 40, .size = 32}), IsPlanned());
}

TEST(AttentionPlansOfFloats, AreRefused) {
  EXPECT_THAT(planned(lane_of(kH100), operator_of(Attention{.type = SLUICE_CUDA_F32})),
              IsRefusedFor("not f16 or bf16"));
}

}  // namespace
}  // namespace sluice::cuda
