#include "tests/support/cuda/case.h"

#include <gtest/gtest.h>

namespace sluice::cuda {
namespace {

Case copy_of(const sluice_cuda_view& from, const sluice_cuda_view& to, Dice& dice) {
  Case test;
  test.op.kind = SLUICE_CUDA_OP_COPY;
  test.op.inputs = test.op.outputs = 1;
  test.op.in[0] = from;
  test.op.out[0] = to;
  test.make(dice);
  return test;
}

TEST(CudaCopy, MovesElementsOfEverySizeBetweenAnyStrides) {
  Dice dice(1);
  for (int round = 0; round < 400; ++round) {
    const int type = static_cast<int>(dice.whole(SLUICE_CUDA_F32, SLUICE_CUDA_BOOL));
    Extents dims;
    for (std::int64_t rank = dice.whole(0, 6); rank > 0; --rank) dims.push_back(dice.whole(1, 5));
    Case test = copy_of(repeated(type, dims, dice), scattered(type, dims, dice), dice);
    ASSERT_EQ(test.check(), "") << round << " " << name_of(type);
  }
}

TEST(CudaCopy, MovesRowsOfAnyLengthAndAlignment) {
  Dice dice(2);
  for (int round = 0; round < 200; ++round) {
    const int type = dice.of<int>({SLUICE_CUDA_U8, SLUICE_CUDA_F16, SLUICE_CUDA_F32});
    const Extents dims = {dice.whole(1, 3), dice.whole(1, 40)};
    auto from = dense(type, dims), to = dense(type, dims);
    to.strides[0] += dice.whole(0, 16);  // a part of longer rows
    from.offset = dice.whole(0, 8);
    to.offset = dice.whole(0, 8);
    Case test = copy_of(from, to, dice);
    ASSERT_EQ(test.check("kernel copy"), "") << round << " " << name_of(type);
  }
}

TEST(CudaCopy, TurnsTilesRoundInSharedMemory) {
  Dice dice(3);
  for (int round = 0; round < 60; ++round) {
    const int type = static_cast<int>(dice.whole(SLUICE_CUDA_F32, SLUICE_CUDA_BOOL));
    const Extents dims = {dice.whole(1, 2), dice.whole(8, 70), dice.whole(1, 3), dice.whole(8, 70)};
    Case test = copy_of(dense(type, dims), ordered(type, dims, {0, 3, 2, 1}), dice);
    ASSERT_EQ(test.check("kernel transpose"), "") << round << " " << name_of(type);
  }
}

}  // namespace
}  // namespace sluice::cuda
