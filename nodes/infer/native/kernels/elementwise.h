#pragma once

#include "sluice/core/tensor.h"
#include "sluice/nodes/infer/native/kernels/types.h"

#include <cstdint>

namespace sluice::kernels {

// Functions of one value. alpha and beta are named where they mean something.
enum class Unary : std::uint8_t {
  kIdentity,
  kRelu,
  kClip /* alpha = low, beta = high */,
  kLeakyRelu /* alpha */,
  kSigmoid,
  kSilu,
  kHardSigmoid /* alpha, beta */,
  kHardSwish,
  kGelu,
  kGeluTanh,
  kTanh,
  kExp,
  kLog,
  kSqrt,
  kReciprocal,
  kErf,
  kNeg,
  kAbs,
  kFloor,
  kCeil,
  kRound /* half to even */,
  kSign,
  kElu /* alpha */,
  kSelu /* alpha, beta = gamma */,
  kCelu /* alpha */,
  kSoftplus,
  kSoftsign,
  kThresholdedRelu /* alpha */,
  kMish,
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kSinh,
  kCosh,
};

// output[i] = f(input[i]) over count values; the output may be the input.
// exp, sigmoid, silu, tanh and erf come from polynomials (vector_math.h) within 2e-6 relative, gelu
// within 1e-6 absolute.
void unary(Unary fn, float alpha, float beta, std::int64_t count, const float* input,
           float* output);
// kNeg, kAbs, kSign, kClip (bounds given as integers), kRelu and kIdentity over integers.
void unary_i64(Unary fn, std::int64_t low, std::int64_t high, std::int64_t count,
               const std::int64_t* input, std::int64_t* output);
void unary_i32(Unary fn, std::int64_t low, std::int64_t high, std::int64_t count,
               const std::int32_t* input, std::int32_t* output);
void apply(const Activation& activation, std::int64_t count, const float* input, float* output);
void logical_not(std::int64_t count, const bool* input, bool* output);

// Functions of two values, with numpy's broadcasting: the two shapes are aligned at their last
// axis, an extent of 1 repeats. The output has the broadcast shape, which the caller has computed,
// and may be an input that has that same shape. Integer division truncates toward zero; by zero it
// gives 0.
enum class Binary : std::uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kPow,
  kMin,
  kMax,
  kPRelu /* a < 0 ? a * b : a */,
  kMod /* sign of b */,
  kFmod
};
enum class Compare : std::uint8_t { kEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };
enum class Logical : std::uint8_t { kAnd, kOr, kXor };

// T: float, double, std::int64_t, std::int32_t.
template <class T>
void binary(Binary fn, Dims a_dims, const T* a, Dims b_dims, const T* b, T* output);
// T: float, double, std::int64_t, std::int32_t, bool (kEqual).
template <class T>
void compare(Compare fn, Dims a_dims, const T* a, Dims b_dims, const T* b, bool* output);
void logical(Logical fn, Dims a_dims, const bool* a, Dims b_dims, const bool* b, bool* output);

// output = condition ? a : b, all three broadcast to `out_dims`; elements of 1, 2, 4 or 8 bytes.
struct WhereParams {
  Dims out_dims, condition_dims, a_dims, b_dims;
  std::size_t element_bytes = 4;
};
void where(const WhereParams& params, const bool* condition, const void* a, const void* b,
           void* output);

// numpy.astype: floats to integers truncate toward zero and saturate, NaN becomes 0; to bool is
// "not 0". All of DType but none left out; the output must not overlap the input unless the types
// are equal.
void cast(DType from, DType to, std::int64_t count, const void* input, void* output);

}  // namespace sluice::kernels
