#include "tests/support/cuda/case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace sluice::cuda {
namespace {

int any_float(Dice& dice) {
  return dice.of<int>({SLUICE_CUDA_F32, SLUICE_CUDA_F16, SLUICE_CUDA_BF16});
}

// Lines of all sorts: short and long ones, few and many, along the last axis and across it.
Extents any_lines(Dice& dice) {
  switch (dice.whole(0, 4)) {
    case 0:
      return {dice.whole(1, 40), dice.whole(1, 100), 1};
    case 1:
      return {dice.whole(1, 3), 8 * dice.whole(1, 40), 1};
    case 2:
      return {dice.whole(1, 2), dice.whole(1024, 1500), 1};
    case 3:
      return {dice.whole(1, 3), dice.whole(1, 40), dice.whole(2, 70)};
    default:
      return {dice.whole(1, 3), 1, dice.whole(1, 3)};
  }
}

sluice_cuda_view any_view(int type, const Extents& dims, Dice& dice) {
  return dice.once_in(3) ? scattered(type, dims, dice) : dense(type, dims);
}

Case case_of(int kind, const sluice_cuda_view& in, const sluice_cuda_view& out) {
  Case test;
  test.op.kind = kind;
  test.op.inputs = test.op.outputs = 1;
  test.op.in[0] = in;
  test.op.out[0] = out;
  return test;
}

TEST(CudaSoftmax, GoesAlongLinesOfEverySort) {
  Dice dice(1);
  for (int round = 0; round < 150; ++round) {
    const Extents dims = any_lines(dice);
    Case test = case_of(SLUICE_CUDA_OP_SOFTMAX, any_view(any_float(dice), dims, dice),
                        any_view(any_float(dice), dims, dice));
    test.op.as.softmax.logarithm = dice.once_in(2);
    test.make(dice, -8, 8);
    ASSERT_EQ(test.check("kernel softmax"), "") << round;
  }
}

TEST(CudaSoftmax, GivesNaNWhereNumpyDoesAndKeepsMaskedLines) {
  Dice dice(2);
  for (const std::int64_t length : {5, 8, 40}) {
    const auto view = dense(SLUICE_CUDA_F32, {5, length, 1});
    Case test = case_of(SLUICE_CUDA_OP_SOFTMAX, view, view);
    test.make(dice);
    test.inputs[0].set(0, NAN);
    test.inputs[0].set(length, INFINITY);
    for (std::int64_t i = 0; i < length; ++i) test.inputs[0].set(2 * length + i, -INFINITY);
    for (std::int64_t i = 0; i + 1 < length; ++i) test.inputs[0].set(3 * length + i, -INFINITY);

    ASSERT_EQ(test.check(), "") << length;
    EXPECT_EQ(test.outputs[0].get(4 * length - 1), 1);
  }
}

TEST(CudaNormalize, TakesParametersByPositionChannelAndColumn) {
  Dice dice(3);
  for (int round = 0; round < 200; ++round) {
    const Extents dims = any_lines(dice);
    Case test = case_of(SLUICE_CUDA_OP_NORMALIZE, any_view(any_float(dice), dims, dice),
                        any_view(any_float(dice), dims, dice));
    auto& settings = test.op.as.normalize;
    settings.epsilon = 1e-2f;
    settings.parameters_by =
        static_cast<int>(dice.whole(SLUICE_CUDA_BY_POSITION, SLUICE_CUDA_BY_INNER));
    settings.channels = dice.whole(1, 3);
    const std::int64_t size = settings.parameters_by == SLUICE_CUDA_BY_POSITION ? dims[1]
                              : settings.parameters_by == SLUICE_CUDA_BY_OUTER  ? settings.channels
                                                                                : dims[2];
    test.op.inputs = static_cast<int>(dice.whole(1, 3));
    test.op.in[1] = scattered(any_float(dice), {size}, dice);
    test.op.in[2] = scattered(any_float(dice), {size}, dice);
    test.make(dice);
    ASSERT_EQ(test.check("kernel normalize"), "") << round;
  }
}

TEST(CudaNormalize, KeepsSmallDifferencesOfLargeNumbers) {
  Dice dice(4);
  const auto view = dense(SLUICE_CUDA_F32, {3, 64, 1});
  Case test = case_of(SLUICE_CUDA_OP_NORMALIZE, view, view);
  test.make(dice);
  for (std::int64_t i = 0; i < 3 * 64; ++i)
    test.inputs[0].set(i, 4096 + static_cast<double>(dice.whole(-4, 4)));

  EXPECT_EQ(test.check(), "");
}

Case reduce_of(int function, int type, const Extents& kept, const Extents& reduced, Dice& dice) {
  Extents dims = kept;
  dims.insert(dims.end(), reduced.begin(), reduced.end());
  Case test =
      case_of(SLUICE_CUDA_OP_REDUCE, any_view(type, dims, dice), any_view(type, kept, dice));
  test.op.as.reduce.function = function;
  test.op.as.reduce.reduced = static_cast<int>(reduced.size());
  test.make(dice, function == SLUICE_CUDA_REDUCE_LOG_SUM ? 0.5 : -1.5, 1.5);
  return test;
}

TEST(CudaReduce, ReducesAnyAxesByEveryFunctionInEveryType) {
  Dice dice(5);
  for (int function = SLUICE_CUDA_REDUCE_SUM; function <= SLUICE_CUDA_REDUCE_LOG_SUM_EXP;
       ++function) {
    const bool real = function >= SLUICE_CUDA_REDUCE_LOG_SUM;
    for (int type = SLUICE_CUDA_F32; type <= (real ? SLUICE_CUDA_F64 : SLUICE_CUDA_I64); ++type) {
      if (type == SLUICE_CUDA_I8 || type == SLUICE_CUDA_I16) continue;  // overflow in another way
      for (int round = 0; round < 12; ++round) {
        Extents kept, reduced;
        for (std::int64_t rank = dice.whole(0, 3); rank > 0; --rank)
          kept.push_back(dice.whole(1, 6));
        for (std::int64_t rank = dice.whole(0, 3); rank > 0; --rank)
          reduced.push_back(dice.whole(1, 4));
        Case test = reduce_of(function, type, kept, reduced, dice);
        ASSERT_EQ(test.check("kernel reduce"), "") << function << " " << name_of(type);
      }
    }
  }
}

TEST(CudaReduce, TakesLongLinesAndChannelsInnermost) {
  Dice dice(6);
  for (const int type : {SLUICE_CUDA_F32, SLUICE_CUDA_F16}) {
    Case line = reduce_of(SLUICE_CUDA_REDUCE_MEAN, type, {3}, {9000}, dice);
    EXPECT_EQ(line.check(), "");
    const auto image = channels_last(type, {2, 40, 7, 7});
    Case pool = case_of(SLUICE_CUDA_OP_REDUCE, image, dense(type, {2, 40}));
    pool.op.as.reduce.function = SLUICE_CUDA_REDUCE_MEAN;
    pool.op.as.reduce.reduced = 2;
    pool.make(dice);
    EXPECT_EQ(pool.check(), "");
  }
}

TEST(CudaReduce, GivesTheNeutralElementOfNothing) {
  Dice dice(7);
  for (int function = SLUICE_CUDA_REDUCE_SUM; function <= SLUICE_CUDA_REDUCE_LOG_SUM_EXP;
       ++function) {
    for (const int type : {SLUICE_CUDA_F32, SLUICE_CUDA_I32, SLUICE_CUDA_U8}) {
      const bool real = function == SLUICE_CUDA_REDUCE_MEAN || function >= SLUICE_CUDA_REDUCE_L2;
      if (real && type != SLUICE_CUDA_F32) continue;
      Case test = reduce_of(function, type, {3}, {2, 0}, dice);
      EXPECT_EQ(test.check(), "") << function << " " << name_of(type);
    }
  }
}

TEST(CudaReduce, LetsNaNWinAndHoldsInfinity) {
  Dice dice(8);
  for (const int function : {SLUICE_CUDA_REDUCE_MAX, SLUICE_CUDA_REDUCE_MIN, SLUICE_CUDA_REDUCE_SUM,
                             SLUICE_CUDA_REDUCE_LOG_SUM_EXP}) {
    Case test = reduce_of(function, SLUICE_CUDA_F32, {4}, {50}, dice);
    test.inputs[0].set(7, NAN);
    test.inputs[0].set(60, INFINITY);
    for (std::int64_t i = 100; i < 150; ++i) test.inputs[0].set(i, -INFINITY);
    EXPECT_EQ(test.check(), "") << function;
  }
}

TEST(CudaArg, FindsTheFirstOrTheLastExtreme) {
  Dice dice(9);
  for (int round = 0; round < 200; ++round) {
    const Extents dims = any_lines(dice);
    const int type = static_cast<int>(dice.whole(SLUICE_CUDA_F32, SLUICE_CUDA_U32));
    Case test = case_of(SLUICE_CUDA_OP_ARG, any_view(type, dims, dice),
                        any_view(SLUICE_CUDA_I64, {dims[0], dims[2]}, dice));
    test.op.as.arg.largest = dice.once_in(2);
    test.op.as.arg.select_last = dice.once_in(2);
    test.make(dice);
    for (std::int64_t i = 0; i < test.inputs[0].count(); ++i)
      test.inputs[0].set(
          i, is_float(type) && dice.once_in(60) ? NAN : std::round(test.inputs[0].get(i)));
    ASSERT_EQ(test.check("kernel arg"), "") << round << " " << name_of(type);
  }
}

TEST(CudaTopK, SortsTheBestWithTheLowerIndexFirst) {
  Dice dice(10);
  for (int round = 0; round < 30; ++round) {
    Extents dims = any_lines(dice);
    dims[0] = std::min<std::int64_t>(dims[0], 8);
    dims[2] = std::min<std::int64_t>(dims[2], 8);
    const int type = static_cast<int>(dice.whole(SLUICE_CUDA_F32, SLUICE_CUDA_U32));
    const Extents best = {dims[0], dice.whole(1, std::min<std::int64_t>(dims[1], 8)), dims[2]};
    Case test =
        case_of(SLUICE_CUDA_OP_TOPK, any_view(type, dims, dice), any_view(type, best, dice));
    test.op.outputs = 2;
    test.op.out[1] = any_view(SLUICE_CUDA_I64, best, dice);
    test.op.as.topk.largest = dice.once_in(2);
    test.make(dice);
    for (std::int64_t i = 0; i < test.inputs[0].count(); ++i)
      test.inputs[0].set(
          i, is_float(type) && dice.once_in(60) ? NAN : std::round(test.inputs[0].get(i)));
    ASSERT_EQ(test.check("kernel topk"), "") << round << " " << name_of(type);
  }
}

}  // namespace
}  // namespace sluice::cuda
