#include "sluice/runtime/cuda/operator_text.h"

#include "tests/cuda/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace sluice::cuda {
namespace {

using namespace testing;

const sluice_cuda_lane_options kOptions = {1 << 20, 1, 1, nullptr};

TEST(OperatorText, IsALineThatSaysWhatTheOperatorIs) {
  const Convolution c{.x = {1, 8, 4, 5},
                      .out = 16,
                      .kernel = {1, 3},
                      .pad_begin = {0, 1},
                      .pad_end = {0, 1},
                      .activation = plain(SLUICE_CUDA_RELU)};
  EXPECT_EQ(operator_text(operator_of(c), kOptions),
            "conv in1:1x8x4x5/160,1,40,8 in1:16x8x1x3/24,1,24,8 in1:16/1 out1:1x16x4x5/320,1,80,16"
            " window 1/1*1+0+0 window 3/1*1+1+1 group1 bias activation0(0,0,1,0)"
            " workspace1048576 tf32");
}

TEST(OperatorText, DiffersWhereverOperatorsDo) {
  const Convolution first{.x = {2, 16, 8, 8}, .out = 16, .kernel = {3, 3}};
  const std::vector<std::function<void(Convolution&)>> changes = {
      [](Convolution&) {},
      [](Convolution& c) { c.type = SLUICE_CUDA_BF16; },
      [](Convolution& c) { c.x[0] = 3; },
      [](Convolution& c) { c.out = 32; },
      [](Convolution& c) {
        c.kernel = {3, 5};
      },
      [](Convolution& c) { c.stride = {2}; },
      [](Convolution& c) { c.dilation = {2}; },
      [](Convolution& c) { c.pad_begin = {1}; },
      [](Convolution& c) { c.pad_end = {1}; },
      [](Convolution& c) { c.group = 2; },
      [](Convolution& c) { c.bias = false; },
      [](Convolution& c) { c.residual = true; },
      [](Convolution& c) { c.activation = plain(SLUICE_CUDA_RELU); },
      [](Convolution& c) { c.after = plain(SLUICE_CUDA_RELU); },
      [](Convolution& c) {
        c.after = {SLUICE_CUDA_CLIP, 0, 6, 1, 0};
      },
      [](Convolution& c) {
        c.after = {SLUICE_CUDA_CLIP, 0, 6.0000005F, 1, 0};
      },
      [](Convolution& c) { c.transposed = true; },
  };
  std::set<std::string> texts;
  for (const auto& change : changes) {
    Convolution c = first;
    change(c);
    texts.insert(operator_text(operator_of(c), kOptions));
  }
  EXPECT_EQ(texts.size(), changes.size());
}

TEST(OperatorText, DiffersByWhatTheLaneAllows) {
  const sluice_cuda_op op = matmul(SLUICE_CUDA_F32, 1, 2, 3, 4);
  sluice_cuda_lane_options strict = kOptions;
  strict.allow_tf32 = 0;
  sluice_cuda_lane_options small = kOptions;
  small.workspace_bytes = 0;
  const std::set<std::string> texts = {operator_text(op, kOptions), operator_text(op, strict),
                                       operator_text(op, small)};
  EXPECT_EQ(texts.size(), 3u);
}

// In an arena, the same operator begins here or there.
TEST(OperatorText, DoesNotDifferByWhereAlignedOperandsBegin) {
  sluice_cuda_op op = matmul(SLUICE_CUDA_F16, 1, 2, 3, 4);
  const std::string text = operator_text(op, kOptions);
  op.in[0].offset = 4096;
  EXPECT_EQ(operator_text(op, kOptions), text);
  op.in[0].offset = 8;
  EXPECT_NE(operator_text(op, kOptions), text);
}

}  // namespace
}  // namespace sluice::cuda
