#include "tests/cuda/operators.h"
#include "tests/cuda/plans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// That cuDNN has a plan for every convolution that is lowered to it, on devices that are not here.

namespace sluice::cuda {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::Combine;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Values;

class ConvolutionPlans : public ::testing::TestWithParam<std::tuple<Device, int>> {
 protected:
  Planned plan(Convolution convolution) const {
    convolution.type = type();
    return planned(lane_, operator_of(convolution));
  }
  int type() const { return std::get<1>(GetParam()); }

  LaneResources lane_ = lane_of(std::get<0>(GetParam()));
  const sluice_cuda_activation relu_ = plain(SLUICE_CUDA_RELU);
};

INSTANTIATE_TEST_SUITE_P(Devices, ConvolutionPlans,
                         Combine(Values(kA100, kH200),
                                 Values(SLUICE_CUDA_F16, SLUICE_CUDA_BF16, SLUICE_CUDA_F32)));

// In one call of cuDNN's, without a kernel after it.
TEST_P(ConvolutionPlans, FuseBiasResidualAndRelu) {
  const Convolution c{
      .x = {8, 64, 56, 56}, .out = 64, .kernel = {3, 3}, .pad_begin = {1}, .pad_end = {1}};
  const auto alone = AllOf(IsPlannedAs("cudnn conv engine"), Not(IsPlannedAs("+")));
  for (const bool bias : {false, true}) {
    for (const bool residual : {false, true}) {
      for (const auto& last : {none(), relu_}) {
        Convolution fused = c;
        fused.bias = bias;
        fused.residual = residual;
        (residual ? fused.after : fused.activation) = last;

        EXPECT_THAT(plan(fused), alone) << bias << residual << last.function;
      }
    }
  }
}

TEST_P(ConvolutionPlans, LeaveOtherActivationsToAKernel) {
  Convolution c{
      .x = {8, 64, 56, 56}, .out = 64, .kernel = {3, 3}, .pad_begin = {1}, .pad_end = {1}};
  for (const auto function : {SLUICE_CUDA_CLIP, SLUICE_CUDA_SILU, SLUICE_CUDA_HARD_SWISH}) {
    c.activation = plain(function);
    c.residual = false;
    EXPECT_THAT(plan(c), IsPlannedAs(" + ")) << function;
    c.residual = true;
    EXPECT_THAT(plan(c), IsPlannedAs(" + ")) << function;
  }
}

TEST_P(ConvolutionPlans, ReadABiasOfFloatsByAKernel) {
  Convolution c{.type = type(), .x = {8, 64, 56, 56}, .out = 64, .kernel = {3, 3}};
  sluice_cuda_op op = operator_of(c);
  op.in[2].type = SLUICE_CUDA_F32;

  const Planned made = planned(lane_, op);

  if (type() == SLUICE_CUDA_F32) {
    EXPECT_THAT(made, AllOf(IsPlanned(), Not(IsPlannedAs("+"))));
  } else {
    EXPECT_THAT(made, IsPlannedAs(" + "));
  }
}

TEST_P(ConvolutionPlans, TakeEveryWindow) {
  const Dims x = {8, 64, 56, 56};
  EXPECT_THAT(plan({.x = x, .out = 128, .kernel = {1, 1}}), IsPlanned());
  EXPECT_THAT(plan({.x = x, .out = 128, .kernel = {1, 1}, .stride = {2}}), IsPlanned());
  EXPECT_THAT(plan({.x = x, .out = 64, .kernel = {1, 7}, .pad_begin = {0, 3}, .pad_end = {0, 3}}),
              IsPlanned());
  EXPECT_THAT(plan({.x = x, .out = 64, .kernel = {7, 1}, .pad_begin = {3, 0}, .pad_end = {3, 0}}),
              IsPlanned());
  EXPECT_THAT(plan({.x = x,
                    .out = 64,
                    .kernel = {3, 3},
                    .stride = {2, 1},
                    .pad_begin = {1},
                    .pad_end = {1}}),
              IsPlanned());
  EXPECT_THAT(
      plan(
          {.x = x, .out = 64, .kernel = {3, 3}, .dilation = {2}, .pad_begin = {2}, .pad_end = {2}}),
      IsPlanned());
  EXPECT_THAT(
      plan({.x = x, .out = 64, .kernel = {3, 3}, .stride = {2}, .pad_begin = {0}, .pad_end = {1}}),
      IsPlanned());
  EXPECT_THAT(plan({.x = x, .out = 64, .kernel = {5, 5}, .pad_begin = {4, 0}, .pad_end = {0, 4}}),
              IsPlanned());
}

TEST_P(ConvolutionPlans, TakeGroups) {
  const Dims x = {8, 64, 28, 28};
  for (const std::int64_t group : {2, 4, 16, 32}) {
    EXPECT_THAT(plan({.x = x,
                      .out = 64,
                      .kernel = {3, 3},
                      .pad_begin = {1},
                      .pad_end = {1},
                      .group = group,
                      .activation = relu_}),
                IsPlanned())
        << group;
  }
}

TEST_P(ConvolutionPlans, TakeAnyNumberOfChannels) {
  for (const std::int64_t in : {1, 3, 8, 13, 24}) {
    for (const std::int64_t out : {1, 3, 16, 21}) {
      EXPECT_THAT(plan({.x = {2, in, 32, 32},
                        .out = out,
                        .kernel = {3, 3},
                        .pad_begin = {1},
                        .pad_end = {1},
                        .activation = relu_}),
                  IsPlanned())
          << in << " to " << out;
    }
  }
}

TEST_P(ConvolutionPlans, TakeSequencesAndVolumes) {
  EXPECT_THAT(plan({.x = {8, 64, 200},
                    .out = 64,
                    .kernel = {5},
                    .pad_begin = {2},
                    .pad_end = {2},
                    .activation = relu_}),
              IsPlanned());
  EXPECT_THAT(plan({.x = {2, 16, 8, 20, 20},
                    .out = 32,
                    .kernel = {3, 3, 3},
                    .pad_begin = {1},
                    .pad_end = {1},
                    .activation = relu_}),
              IsPlanned());
}

// As concatenations of channels do, which are written in place.
TEST_P(ConvolutionPlans, WriteBetweenOtherChannels) {
  sluice_cuda_op op = operator_of(Convolution{.type = type(),
                                              .x = {8, 64, 56, 56},
                                              .out = 64,
                                              .kernel = {3, 3},
                                              .pad_begin = {1},
                                              .pad_end = {1},
                                              .activation = relu_});
  op.in[0] = channels_last(type(), {8, 64, 56, 56}, 192);
  op.out[0] = channels_last(type(), {8, 64, 56, 56}, 256);
  op.out[0].offset = 64;

  EXPECT_THAT(planned(lane_, op), IsPlanned());
}

TEST_P(ConvolutionPlans, TakeTransposedOnes) {
  Convolution c{.x = {1, 24, 160, 160},
                .out = 24,
                .kernel = {2, 2},
                .stride = {2},
                .bias = false,
                .transposed = true};
  EXPECT_THAT(plan(c), AllOf(IsPlannedAs("conv_transpose"), Not(IsPlannedAs("+"))));
  c.bias = true;
  c.activation = relu_;
  EXPECT_THAT(plan(c), IsPlannedAs(" + "));
  c.out = 1;
  c.activation = plain(SLUICE_CUDA_SIGMOID);
  EXPECT_THAT(plan(c), IsPlannedAs(" + "));
  c = {.x = {2, 64, 16, 16},
       .out = 32,
       .kernel = {4, 4},
       .stride = {2},
       .pad_begin = {1},
       .pad_end = {1},
       .transposed = true};
  EXPECT_THAT(plan(c), IsPlanned());
}

TEST_P(ConvolutionPlans, RefuseGroupsOfOneChannel) {
  EXPECT_THAT(plan({.x = {8, 64, 28, 28}, .out = 64, .kernel = {3, 3}, .group = 64}),
              IsRefusedFor("groups of one channel"));
}

TEST_P(ConvolutionPlans, RefusePlanes) {
  sluice_cuda_op op =
      operator_of(Convolution{.type = type(), .x = {8, 64, 28, 28}, .out = 64, .kernel = {3, 3}});
  op.in[0] = dense(type(), {8, 64, 28, 28});

  EXPECT_THAT(planned(lane_, op), IsRefusedFor("channels that are not last"));
}

TEST_P(ConvolutionPlans, SayWhatCudnnSays) {
  sluice_cuda_op op =
      operator_of(Convolution{.type = type(), .x = {8, 64, 28, 28}, .out = 64, .kernel = {3, 3}});
  op.out[0].dims[2] = 5;  // not what this window gives

  EXPECT_THAT(planned(lane_, op), IsRefusedFor("cuDNN: "));
}

// Tensor cores round the operands of f32 to TF32, with some 10 bits.
TEST(ConvolutionPlansOfFloats, AreStrictWhereTf32IsNotAllowed) {
  for (const Device device : {kA100, kH200}) {
    LaneResources lane = lane_of(device);
    lane.cudnn.allow_tf32 = false;
    Convolution c{.type = SLUICE_CUDA_F32,
                  .x = {8, 64, 56, 56},
                  .out = 64,
                  .kernel = {3, 3},
                  .pad_begin = {1},
                  .pad_end = {1},
                  .activation = plain(SLUICE_CUDA_RELU)};
    const Planned strict = planned(lane, operator_of(c));
    EXPECT_THAT(strict, IsPlanned());
    lane.cudnn.allow_tf32 = true;
    EXPECT_NE(strict.name, planned(lane, operator_of(c)).name);
  }
}

TEST(ConvolutionPlansOfFloats, RefuseWhatNoDeviceIs) {
  LaneResources lane = lane_of(kH100);
  lane.cudnn.device_properties = "{\"deviceVer\":";
  const Planned made =
      planned(lane, operator_of(Convolution{.x = {8, 64, 56, 56}, .out = 64, .kernel = {3, 3}}));

  EXPECT_FALSE(made.outcome.is_ok());
  EXPECT_THAT(made.outcome.message, HasSubstr("device properties"));
}

}  // namespace
}  // namespace sluice::cuda
