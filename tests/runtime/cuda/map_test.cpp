#include "tests/support/cuda/case.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace sluice::cuda {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

sluice_cuda_stage unary(int function, float alpha = 0.5f, float beta = 1.5f, float scale = 1,
                        float shift = 0) {
  sluice_cuda_stage stage{};
  stage.kind = SLUICE_CUDA_STAGE_UNARY;
  stage.activation = {function, alpha, beta, scale, shift};
  return stage;
}

sluice_cuda_stage binary(int function, int operand, int reversed = 0) {
  sluice_cuda_stage stage{};
  stage.kind = SLUICE_CUDA_STAGE_BINARY;
  stage.function = function;
  stage.operand = operand;
  stage.reversed = reversed;
  return stage;
}

sluice_cuda_stage select(int condition, int otherwise) {
  sluice_cuda_stage stage{};
  stage.kind = SLUICE_CUDA_STAGE_SELECT;
  stage.operand = condition;
  stage.other = otherwise;
  return stage;
}

Case map_of(int compute, std::initializer_list<sluice_cuda_view> inputs, sluice_cuda_view output,
            std::initializer_list<sluice_cuda_stage> stages) {
  Case test;
  test.op.kind = SLUICE_CUDA_OP_MAP;
  test.op.as.map.compute = compute;
  for (const auto& view : inputs) test.op.in[test.op.inputs++] = view;
  test.op.out[test.op.outputs++] = output;
  for (const auto& stage : stages) test.op.as.map.stage[test.op.as.map.stages++] = stage;
  return test;
}

// Whole numbers, so that no rounding decides about a jump, as those of floor or mod.
bool jumps(int function) {
  return function == SLUICE_CUDA_MOD || function == SLUICE_CUDA_FMOD ||
         function >= SLUICE_CUDA_AND || function == SLUICE_CUDA_POW;
}

void make_whole(Case& test) {
  for (Block& block : test.inputs) {
    for (std::int64_t i = 0; i < block.count(); ++i) block.set(i, std::round(block.get(i)));
  }
}

TEST(CudaMap, ComputesEveryUnaryFunctionInEveryFloat) {
  Dice dice(1);
  for (int function = SLUICE_CUDA_RELU; function <= SLUICE_CUDA_NOT; ++function) {
    for (const int type : {SLUICE_CUDA_F32, SLUICE_CUDA_F16, SLUICE_CUDA_BF16}) {
      Case test = map_of(SLUICE_CUDA_COMPUTE_F32, {dense(type, {3, 40})}, dense(type, {3, 40}),
                         {unary(function)});
      const bool is_tan = function == SLUICE_CUDA_TAN;
      test.make(dice, is_tan ? -1 : -3, is_tan ? 1 : 3);
      EXPECT_EQ(test.check(), "") << function << " " << name_of(type);
    }
  }
}

TEST(CudaMap, ComputesEveryUnaryFunctionInDouble) {
  Dice dice(2);
  for (int function = SLUICE_CUDA_RELU; function <= SLUICE_CUDA_NOT; ++function) {
    const auto view = dense(SLUICE_CUDA_F64, {50});
    Case test = map_of(SLUICE_CUDA_COMPUTE_F64, {view}, view, {unary(function, 0.5f, 1.5f, 2, 3)});
    test.make(dice, -1, 1);
    EXPECT_EQ(test.check(), "") << function;
  }
}

TEST(CudaMap, ComputesEveryBinaryFunctionEitherWayRound) {
  Dice dice(3);
  for (int function = SLUICE_CUDA_ADD; function <= SLUICE_CUDA_GREATER_OR_EQUAL; ++function) {
    for (const int compute :
         {SLUICE_CUDA_COMPUTE_F32, SLUICE_CUDA_COMPUTE_I64, SLUICE_CUDA_COMPUTE_F64}) {
      const int type = compute == SLUICE_CUDA_COMPUTE_F32   ? SLUICE_CUDA_F32
                       : compute == SLUICE_CUDA_COMPUTE_I64 ? SLUICE_CUDA_I64
                                                            : SLUICE_CUDA_F64;
      for (const int reversed : {0, 1}) {
        const auto view = dense(type, {64});
        Case test = map_of(compute, {view, view}, view, {binary(function, 1, reversed)});
        test.make(dice);
        if (jumps(function)) make_whole(test);
        if (compute == SLUICE_CUDA_COMPUTE_I64 && function == SLUICE_CUDA_POW) {
          // 0 to a negative power is not defined.
          for (std::int64_t i = 0; i < 64; ++i)
            test.inputs[static_cast<std::size_t>(1 - reversed)].set(i, static_cast<double>(i % 5));
        }
        EXPECT_EQ(test.check(), "") << function << " of " << compute << " reversed " << reversed;
      }
    }
  }
}

TEST(CudaMap, TakesAnyStridesTypesAndChains) {
  Dice dice(4);
  const auto type = [&] { return static_cast<int>(dice.whole(SLUICE_CUDA_F32, SLUICE_CUDA_BOOL)); };
  for (int round = 0; round < 300; ++round) {
    Extents dims;
    for (std::int64_t rank = dice.whole(0, 5); rank > 0; --rank) dims.push_back(dice.whole(1, 6));
    Case test = map_of(
        SLUICE_CUDA_COMPUTE_F32,
        {repeated(type(), dims, dice), repeated(type(), dims, dice),
         repeated(SLUICE_CUDA_BOOL, dims, dice), repeated(type(), dims, dice)},
        scattered(dice.of<int>({SLUICE_CUDA_F32, SLUICE_CUDA_F16, SLUICE_CUDA_BF16}), dims, dice),
        {binary(SLUICE_CUDA_MUL, 1), unary(SLUICE_CUDA_TANH, 0, 0, 2, 1), select(2, 3),
         binary(SLUICE_CUDA_SUB, 1, 1)});
    test.make(dice);
    ASSERT_EQ(test.check("kernel map"), "") << round;
  }
}

TEST(CudaMap, MovesPacksWhereTheInnermostAxisAllows) {
  Dice dice(5);
  const auto type = [&] {
    return dice.of<int>({SLUICE_CUDA_F32, SLUICE_CUDA_F16, SLUICE_CUDA_BF16});
  };
  for (int round = 0; round < 100; ++round) {
    const Extents dims = {dice.whole(1, 4), dice.whole(1, 9), 8 * dice.whole(1, 5)};
    auto channel = dense(type(), dims), scalar = dense(type(), dims);
    channel.strides[0] = channel.strides[1] = 0;
    scalar.strides[0] = scalar.strides[1] = scalar.strides[2] = 0;
    Case test =
        map_of(SLUICE_CUDA_COMPUTE_F32, {dense(type(), dims), channel, scalar}, dense(type(), dims),
               {binary(SLUICE_CUDA_MUL, 1), binary(SLUICE_CUDA_ADD, 2), unary(SLUICE_CUDA_SILU),
                select(1, 0)});
    // A view that is not aligned is taken by the kernel for anything.
    if (dice.once_in(4)) test.op.in[0].offset = 3;
    test.make(dice);
    ASSERT_EQ(test.check("kernel map packs"), "") << round;
  }
}

TEST(CudaMap, TreatsTensorsWithTheirChannelsInnermostAsRows) {
  Dice dice(6);
  const auto view = channels_last(SLUICE_CUDA_F16, {2, 16, 3, 5});
  Case test = map_of(SLUICE_CUDA_COMPUTE_F32, {view, view}, view, {binary(SLUICE_CUDA_ADD, 1)});
  test.make(dice);

  EXPECT_EQ(test.check("kernel map packs"), "");
}

TEST(CudaMap, CutsFloatsTowardsZeroAndAtTheEdgesOfAnInteger) {
  for (int type = SLUICE_CUDA_I8; type <= SLUICE_CUDA_BOOL; ++type) {
    Dice dice(7);
    Case test =
        map_of(SLUICE_CUDA_COMPUTE_F32, {dense(SLUICE_CUDA_F32, {8})}, dense(type, {8}), {});
    test.make(dice);
    const double values[] = {1.9, -1.9, 300.5, -300.5, 1e20, -1e20, NAN, 0};
    for (int i = 0; i < 8; ++i) test.inputs[0].set(i, values[i]);
    EXPECT_EQ(test.check(), "") << name_of(type);
  }
}

TEST(CudaMap, OverflowsHalvesToInfinityAndKeepsNaN) {
  Dice dice(8);
  for (const int count : {5, 8}) {
    Case test = map_of(SLUICE_CUDA_COMPUTE_F32, {dense(SLUICE_CUDA_F32, {count})},
                       dense(SLUICE_CUDA_F16, {count}), {unary(SLUICE_CUDA_RELU)});
    test.make(dice);
    test.inputs[0].set(0, 1e6);
    test.inputs[0].set(1, NAN);
    test.inputs[0].set(2, 65504);

    EXPECT_EQ(test.check(), "");
    EXPECT_EQ(test.outputs[0].get(0), kInfinity);
    EXPECT_TRUE(std::isnan(test.outputs[0].get(1)));
  }
}

TEST(CudaMap, LetsANaNWinMinimumAndMaximum) {
  Dice dice(9);
  for (const int function : {SLUICE_CUDA_MIN, SLUICE_CUDA_MAX}) {
    const auto view = dense(SLUICE_CUDA_F32, {16});
    Case test = map_of(SLUICE_CUDA_COMPUTE_F32, {view, view}, view, {binary(function, 1)});
    test.make(dice);
    test.inputs[0].set(3, NAN);
    test.inputs[1].set(5, NAN);

    EXPECT_EQ(test.check(), "");
  }
}

TEST(CudaMap, RefusesWhatIsNoFunctionOfWholeNumbers) {
  Dice dice(10);
  const auto view = dense(SLUICE_CUDA_I64, {4});
  Case test = map_of(SLUICE_CUDA_COMPUTE_I64, {view}, view, {unary(SLUICE_CUDA_EXP)});
  test.make(dice);

  EXPECT_THAT(test.check(), testing::HasSubstr("whole numbers"));
}

TEST(CudaMap, DoesNothingOfNoElements) {
  Dice dice(11);
  const auto view = dense(SLUICE_CUDA_F32, {3, 0, 2});
  Case test = map_of(SLUICE_CUDA_COMPUTE_F32, {view}, view, {unary(SLUICE_CUDA_EXP)});
  test.make(dice);

  EXPECT_EQ(test.check("nothing"), "");
}

}  // namespace
}  // namespace sluice::cuda
