#include "tests/support/cuda/case.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sluice::cuda {
namespace {

Case attention_of(int type, const Extents& q, std::int64_t keys, bool has_mask, Dice& dice) {
  Case test;
  test.op.kind = SLUICE_CUDA_OP_ATTENTION;
  test.op.as.attention.scale = 1.0f / std::sqrt(static_cast<float>(q[3]));
  const Extents k = {q[0], q[1], keys, q[3]};
  const auto view = [&](const Extents& dims) {
    // As they come out of a projection: [batch, sequence, heads, depth].
    return dice.once_in(2) ? ordered(type, dims, {0, 2, 1, 3}) : scattered(type, dims, dice);
  };
  test.op.in[test.op.inputs++] = view(q);
  test.op.in[test.op.inputs++] = view(k);
  test.op.in[test.op.inputs++] = view(k);
  if (has_mask) test.op.in[test.op.inputs++] = repeated(type, {q[0], q[1], q[2], keys}, dice);
  test.op.out[test.op.outputs++] = view(q);
  test.make(dice, -1, 1);
  return test;
}

TEST(CudaAttention, TakesSequencesAndDepthsOfAnyLength) {
  Dice dice(1);
  for (int round = 0; round < 24; ++round) {
    const int type = dice.of<int>({SLUICE_CUDA_F32, SLUICE_CUDA_F16, SLUICE_CUDA_BF16});
    const std::int64_t depth = dice.of<std::int64_t>({1, 8, 20, 32, 40, 64, 100, 150});
    Case test = attention_of(type, {dice.whole(1, 2), dice.whole(1, 2), dice.whole(1, 20), depth},
                             dice.whole(1, 70), dice.once_in(2), dice);
    ASSERT_EQ(test.check("kernel attention"), "") << round << " " << name_of(type);
  }
}

TEST(CudaAttention, LeavesMaskedKeysOut) {
  Dice dice(2);
  Case test = attention_of(SLUICE_CUDA_F32, {1, 1, 3, 8}, 80, true, dice);
  test.op.in[3] = dense(SLUICE_CUDA_F32, {1, 1, 3, 80});
  test.inputs.clear();
  test.outputs.clear();
  test.make(dice);
  for (std::int64_t key = 0; key < 80; ++key) {
    if (key < 64) test.inputs[3].set(key, -INFINITY);  // two tiles and more
    if (key != 5) test.inputs[3].set(80 + key, -INFINITY);
    test.inputs[3].set(160 + key, -INFINITY);
  }

  EXPECT_EQ(test.check(), "");
  EXPECT_EQ(test.outputs[0].get(8), test.inputs[2].get(5 * 8));
  EXPECT_TRUE(std::isnan(test.outputs[0].get(16)));  // as the softmax of nothing but -infinity
}

TEST(CudaAttention, GivesZerosOfNoKeys) {
  Dice dice(3);
  Case test = attention_of(SLUICE_CUDA_F32, {1, 2, 3, 8}, 0, false, dice);

  EXPECT_EQ(test.check(), "");
}

}  // namespace
}  // namespace sluice::cuda
