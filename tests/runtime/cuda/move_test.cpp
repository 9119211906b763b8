#include "tests/support/cuda/case.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::cuda {
namespace {

int any_type(Dice& dice) { return static_cast<int>(dice.whole(SLUICE_CUDA_F32, SLUICE_CUDA_BOOL)); }

TEST(CudaPad, PadsAndCutsInEveryMode) {
  Dice dice(1);
  for (int round = 0; round < 400; ++round) {
    Case test;
    test.op.kind = SLUICE_CUDA_OP_PAD;
    test.op.inputs = test.op.outputs = 1;
    auto& pad = test.op.as.pad;
    pad.mode = static_cast<int>(dice.whole(SLUICE_CUDA_PAD_CONSTANT, SLUICE_CUDA_PAD_WRAP));
    const int type = any_type(dice);
    pad.value = type == SLUICE_CUDA_BOOL ? 1 : 0x3c013c013c013c01;  // a number in every type
    Extents in, out;
    for (std::int64_t axis = 0, rank = dice.whole(0, 5); axis < rank; ++axis) {
      in.push_back(dice.whole(1, 5));
      pad.before[axis] = dice.whole(-1, 7);
      out.push_back(std::max<std::int64_t>(in.back() + pad.before[axis] + dice.whole(-1, 7), 1));
    }
    test.op.in[0] = repeated(type, in, dice);
    test.op.out[0] = scattered(type, out, dice);
    test.make(dice);
    ASSERT_EQ(test.check("kernel pad"), "") << round << " " << name_of(type);
  }
}

TEST(CudaPad, MakesConstantsOfNothing) {
  Dice dice(2);
  Case test;
  test.op.kind = SLUICE_CUDA_OP_PAD;
  test.op.inputs = test.op.outputs = 1;
  test.op.as.pad.before[1] = 2;
  test.op.in[0] = dense(SLUICE_CUDA_F32, {2, 0});
  test.op.out[0] = dense(SLUICE_CUDA_F32, {2, 3});
  test.make(dice);

  EXPECT_EQ(test.check(), "");
}

Case gather_of(int type, const Extents& in, std::int64_t count, Dice& dice) {
  Case test;
  test.op.kind = SLUICE_CUDA_OP_GATHER;
  test.op.inputs = 2;
  test.op.outputs = 1;
  const Extents out = {in[0], count, in[2]};
  const bool plain = dice.once_in(2);
  test.op.in[0] = plain ? dense(type, in) : repeated(type, in, dice);
  test.op.in[1] = repeated(dice.of<int>({SLUICE_CUDA_I32, SLUICE_CUDA_I64}), {count}, dice);
  test.op.out[0] = plain ? dense(type, out) : scattered(type, out, dice);
  test.make(dice);
  for (std::int64_t i = 0; i < count; ++i)
    test.inputs[1].set(i, static_cast<double>(dice.whole(-in[1] - 1, in[1])));
  return test;
}

TEST(CudaGather, TakesRowsFromEitherEndAndZerosFromBeyond) {
  Dice dice(3);
  for (int round = 0; round < 300; ++round) {
    const int type = any_type(dice);
    Case test = gather_of(type, {dice.whole(1, 4), dice.whole(1, 9), dice.whole(1, 34)},
                          dice.whole(1, 12), dice);
    ASSERT_EQ(test.check("kernel gather"), "") << round << " " << name_of(type);
  }
}

TEST(CudaGather, GivesZerosOfAnEmptyAxis) {
  Dice dice(4);
  Case test = gather_of(SLUICE_CUDA_F16, {2, 0, 8}, 3, dice);

  EXPECT_EQ(test.check(), "");
}

}  // namespace
}  // namespace sluice::cuda
