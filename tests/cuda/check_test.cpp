#include "sluice/runtime/cuda/lane_api.h"
#include "sluice/runtime/cuda/libraries/convolution.h"

#include "tests/cuda/operators.h"
#include "tests/cuda/plans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace sluice::cuda {
namespace {

using namespace testing;
using ::testing::StartsWith;

class Check : public ::testing::Test {
 protected:
  Check() { add_operators(api_); }

  int check(const sluice_cuda_op& op) {
    return api_.check(properties_.c_str(), &options_, &op, name_.data(), name_.size());
  }

  sluice_cuda_api api_ = {};
  const std::string properties_ = lane_of(kH100).cudnn.device_properties;
  sluice_cuda_lane_options options_ = {32 << 20, 1, 0, nullptr};
  std::array<char, 64> name_ = {};
};

TEST_F(Check, NamesWhatWouldCompute) {
  ASSERT_EQ(check(operator_of(Convolution{.x = {8, 64, 56, 56}, .out = 64, .kernel = {3, 3}})),
            SLUICE_CUDA_OK);
  EXPECT_THAT(name_.data(), StartsWith("cudnn conv engine "));
  ASSERT_EQ(check(matmul(SLUICE_CUDA_F16, 1, 64, 64, 64)), SLUICE_CUDA_OK);
  EXPECT_STREQ(name_.data(), "cublaslt product");
  ASSERT_EQ(check(operator_of(
                Convolution{.x = {8, 64, 56, 56}, .out = 64, .kernel = {3, 3}, .group = 64})),
            SLUICE_CUDA_OK);
  EXPECT_THAT(name_.data(), StartsWith("kernel "));
}

TEST_F(Check, CutsALongName) {
  const sluice_cuda_op op =
      operator_of(Convolution{.x = {8, 64, 56, 56}, .out = 64, .kernel = {3, 3}});
  ASSERT_EQ(api_.check(properties_.c_str(), &options_, &op, name_.data(), 6), SLUICE_CUDA_OK);
  EXPECT_STREQ(name_.data(), "cudnn");
}

// What an autotuned lane keeps is found again by another one.
TEST_F(Check, FindsAWayByItsWords) {
  const LaneResources lane = lane_of(kH100);
  const sluice_cuda_op op =
      operator_of(Convolution{.x = {8, 64, 56, 56}, .out = 64, .kernel = {3, 3}});
  const auto first = make_convolution(lane, op).made;
  const auto second = make_convolution(lane, op).made;
  for (const std::size_t way : {0, 3, 7}) {
    ASSERT_TRUE(first->select(way).is_ok());
    ASSERT_TRUE(second->select(first->way()).is_ok()) << first->way();
    EXPECT_EQ(second->way(), first->way());
  }
}

TEST_F(Check, RefusesAWayThatIsNone) {
  const sluice_cuda_op op =
      operator_of(Convolution{.x = {8, 64, 56, 56}, .out = 64, .kernel = {3, 3}});
  const auto made = make_convolution(lane_of(kH100), op).made;
  ASSERT_TRUE(made->select(0).is_ok());
  const std::string before = made->way();
  for (const char* way :
       {"", "cudnn ", "cudnn x", "cudnn 4711", "cudnn 10 2=9999", "cublaslt 00"}) {
    EXPECT_EQ(made->select(std::string(way)).code, SLUICE_CUDA_UNSUPPORTED) << way;
  }
  EXPECT_EQ(made->way(), before);
}

}  // namespace
}  // namespace sluice::cuda
