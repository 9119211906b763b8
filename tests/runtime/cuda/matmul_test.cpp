#include "tests/support/cuda/case.h"

#include <gtest/gtest.h>

namespace sluice::cuda {
namespace {

TEST(CudaMatmul, TakesEitherOrderBiasesAndBatches) {
  Dice dice(1);
  for (int round = 0; round < 120; ++round) {
    const int type = dice.of<int>({SLUICE_CUDA_F32, SLUICE_CUDA_F16, SLUICE_CUDA_BF16});
    const std::int64_t batch = dice.whole(1, 3), rows = dice.whole(1, 80);
    const std::int64_t columns = dice.whole(1, 80), depth = dice.whole(0, 40);
    const auto matrix = [&](std::int64_t m, std::int64_t n) {
      auto view =
          dice.once_in(2) ? dense(type, {batch, m, n}) : ordered(type, {batch, m, n}, {0, 2, 1});
      if (dice.once_in(4)) view.strides[0] = 0;
      return view;
    };
    Case test;
    test.op.kind = SLUICE_CUDA_OP_MATMUL;
    auto& settings = test.op.as.matmul;
    settings.has_bias = dice.once_in(2) ? 1 : 0;
    settings.bias_is_matrix = dice.once_in(2) ? 1 : 0;
    settings.alpha = 0.5f;
    settings.beta = 2.0f;
    settings.activation = {dice.of<int>({-1, SLUICE_CUDA_RELU, SLUICE_CUDA_GELU}), 0, 0, 1, 0};
    test.op.in[0] = matrix(rows, depth);
    test.op.in[1] = matrix(depth, columns);
    test.op.in[2] = settings.bias_is_matrix ? dense(type, {batch, rows, columns})
                                            : dense(SLUICE_CUDA_F32, {columns});
    test.op.inputs = settings.has_bias ? 3 : 2;
    test.op.out[0] =
        ordered(type, {batch, rows, columns},
                dice.once_in(2) ? std::vector<int>{0, 1, 2} : std::vector<int>{0, 2, 1});
    test.op.outputs = 1;
    test.make(dice, -1, 1);
    ASSERT_EQ(test.check("kernel matmul"), "") << round << " " << name_of(type);
  }
}

}  // namespace
}  // namespace sluice::cuda
