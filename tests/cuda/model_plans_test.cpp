#include "tests/cuda/operators.h"
#include "tests/cuda/plans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

// Plans for all convolutions of models that people run.

namespace sluice::cuda {
namespace {

using namespace testing;
using ::testing::Values;

class ModelPlans : public ::testing::TestWithParam<Device> {
 protected:
  void expect_plans(const std::vector<Convolution>& convolutions) const {
    const LaneResources lane = lane_of(GetParam());
    for (const Convolution& c : convolutions) {
      EXPECT_THAT(planned(lane, operator_of(c)), IsPlanned())
          << ::testing::PrintToString(c.x) << " to " << c.out << " by "
          << ::testing::PrintToString(c.kernel);
    }
  }
  const sluice_cuda_activation relu_ = plain(SLUICE_CUDA_RELU);
  const sluice_cuda_activation hard_swish_ = plain(SLUICE_CUDA_HARD_SWISH);
};

INSTANTIATE_TEST_SUITE_P(Devices, ModelPlans, Values(kA100, kH100, kH200));

// ResNet-50 v1.5: the 3x3 has the stride. Table 1 of He et al., "Deep Residual Learning for Image
// Recognition" (2015).
std::vector<Convolution> resnet50(std::int64_t batch, const sluice_cuda_activation& relu) {
  std::vector<Convolution> all = {{.x = {batch, 8, 224, 224},
                                   .out = 64,
                                   .kernel = {7, 7},
                                   .stride = {2},
                                   .pad_begin = {3},
                                   .pad_end = {3},
                                   .activation = relu}};
  std::int64_t channels = 64, size = 56;
  for (const std::int64_t inner : {64, 128, 256, 512}) {
    const std::int64_t stride = inner == 64 ? 1 : 2, after = size / stride;
    const auto block = [&](std::int64_t in, std::int64_t from, std::int64_t by) {
      all.push_back(
          {.x = {batch, in, from, from}, .out = inner, .kernel = {1, 1}, .activation = relu});
      all.push_back({.x = {batch, inner, from, from},
                     .out = inner,
                     .kernel = {3, 3},
                     .stride = {by},
                     .pad_begin = {1},
                     .pad_end = {1},
                     .activation = relu});
      all.push_back({.x = {batch, inner, after, after},
                     .out = 4 * inner,
                     .kernel = {1, 1},
                     .residual = true,
                     .after = relu});
    };
    all.push_back({.x = {batch, channels, size, size},
                   .out = 4 * inner,
                   .kernel = {1, 1},
                   .stride = {stride}});
    block(channels, size, stride);
    block(4 * inner, after, 1);
    channels = 4 * inner;
    size = after;
  }
  return all;
}

TEST_P(ModelPlans, ResNet50) {
  for (const std::int64_t batch : {1, 8, 64}) expect_plans(resnet50(batch, relu_));
}

// The dense convolutions of PP-OCR's detector (PP-LCNetV3 and its neck) on a page of 960 x 704, and
// of its recogniser on lines of 48 x 320.
TEST_P(ModelPlans, PpOcr) {
  expect_plans({
      {.x = {1, 8, 960, 704},
       .out = 16,
       .kernel = {3, 3},
       .stride = {2},
       .pad_begin = {1},
       .pad_end = {1},
       .activation = hard_swish_},
      {.x = {1, 16, 480, 352}, .out = 32, .kernel = {1, 1}, .activation = hard_swish_},
      {.x = {1, 96, 240, 176}, .out = 96, .kernel = {1, 1}, .activation = hard_swish_},
      {.x = {1, 480, 30, 22}, .out = 120, .kernel = {1, 1}, .activation = relu_},
      {.x = {1, 480, 1, 1}, .out = 120, .kernel = {1, 1}, .activation = relu_},
      {.x = {1, 96, 240, 176},
       .out = 24,
       .kernel = {3, 3},
       .pad_begin = {1},
       .pad_end = {1},
       .bias = false},
      {.x = {1, 96, 240, 176}, .out = 24, .kernel = {9, 9}, .pad_begin = {4}, .pad_end = {4}},
      {.x = {1, 96, 240, 176},
       .out = 24,
       .kernel = {3, 3},
       .pad_begin = {1},
       .pad_end = {1},
       .activation = relu_},
      {.x = {1, 24, 240, 176},
       .out = 24,
       .kernel = {2, 2},
       .stride = {2},
       .activation = relu_,
       .transposed = true},
      {.x = {1, 24, 480, 352},
       .out = 1,
       .kernel = {2, 2},
       .stride = {2},
       .activation = plain(SLUICE_CUDA_SIGMOID),
       .transposed = true},
      {.x = {6, 8, 48, 320},
       .out = 16,
       .kernel = {3, 3},
       .stride = {2},
       .pad_begin = {1},
       .pad_end = {1},
       .activation = hard_swish_},
      {.x = {6, 480, 1, 40},
       .out = 60,
       .kernel = {1, 3},
       .pad_begin = {0, 1},
       .pad_end = {0, 1},
       .activation = plain(SLUICE_CUDA_SILU)},
      {.x = {6, 960, 1, 40},
       .out = 60,
       .kernel = {3, 3},
       .pad_begin = {1},
       .pad_end = {1},
       .activation = plain(SLUICE_CUDA_SILU)},
      {.x = {6, 60, 1, 40}, .out = 120, .kernel = {1, 1}, .activation = plain(SLUICE_CUDA_SILU)},
  });
}

}  // namespace
}  // namespace sluice::cuda
