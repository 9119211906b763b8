#pragma once

#include "sluice/runtime/cuda/kernels/element.cuh"

// The functions of one number and of two. The switch stands outside of the loop over the values, so
// that it costs little where there are many.
namespace sluice::cuda {

// Those with long code that models seldom have: kernels that must be lean leave them out.
inline bool is_rare(int function) {
  switch (function) {
    case SLUICE_CUDA_SIN:
    case SLUICE_CUDA_COS:
    case SLUICE_CUDA_TAN:
    case SLUICE_CUDA_ASIN:
    case SLUICE_CUDA_ACOS:
    case SLUICE_CUDA_ATAN:
    case SLUICE_CUDA_SINH:
    case SLUICE_CUDA_COSH:
      return true;
    default:
      return false;
  }
}

template <class C, int N, class F>
__device__ __forceinline__ void each(C (&v)[N], F f) {
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] = f(v[i]);
}

template <class C>
__device__ __forceinline__ C softplus(C x) {
  // log(1 + e^x) without overflow.
  return (x > C(0) ? x : C(0)) + std::log1p(std::exp(-std::abs(x)));
}

template <class C>
__device__ __forceinline__ C clip(C x, C low, C high) {
  return x < low ? low : (x > high ? high : x);
}

template <class C, int N>
__device__ __forceinline__ void apply_rare(int function, C (&v)[N]) {
  switch (function) {
    case SLUICE_CUDA_SIN:
      return each(v, [](C x) { return std::sin(x); });
    case SLUICE_CUDA_COS:
      return each(v, [](C x) { return std::cos(x); });
    case SLUICE_CUDA_TAN:
      return each(v, [](C x) { return std::tan(x); });
    case SLUICE_CUDA_ASIN:
      return each(v, [](C x) { return std::asin(x); });
    case SLUICE_CUDA_ACOS:
      return each(v, [](C x) { return std::acos(x); });
    case SLUICE_CUDA_ATAN:
      return each(v, [](C x) { return std::atan(x); });
    case SLUICE_CUDA_SINH:
      return each(v, [](C x) { return std::sinh(x); });
    case SLUICE_CUDA_COSH:
      return each(v, [](C x) { return std::cosh(x); });
    default:
      return;
  }
}

// The short ones, which layers have most: kernels with many results a thread have only these.
inline bool is_lean(int function) { return function < SLUICE_CUDA_GELU; }

template <class C, int N>
__device__ __forceinline__ void apply_lean(int function, C alpha, C beta, C (&v)[N]) {
  switch (function) {
    case SLUICE_CUDA_RELU:
      return each(v, [](C x) { return x < C(0) ? C(0) : x; });
    case SLUICE_CUDA_CLIP:
      return each(v, [=](C x) { return clip(x, alpha, beta); });
    case SLUICE_CUDA_LEAKY_RELU:
      return each(v, [=](C x) { return x < C(0) ? alpha * x : x; });
    case SLUICE_CUDA_SIGMOID:
      return each(v, [](C x) { return C(1) / (C(1) + std::exp(-x)); });
    case SLUICE_CUDA_SILU:
      return each(v, [](C x) { return x / (C(1) + std::exp(-x)); });
    case SLUICE_CUDA_HARD_SIGMOID:
      return each(v, [=](C x) { return clip(alpha * x + beta, C(0), C(1)); });
    case SLUICE_CUDA_HARD_SWISH:
      return each(v, [](C x) { return x * clip(x / C(6) + C(0.5), C(0), C(1)); });
    default:
      return;
  }
}

template <class C, int N>
__device__ __forceinline__ void apply_function(int function, C alpha, C beta, C (&v)[N]) {
  switch (function) {
    case SLUICE_CUDA_GELU:
      return each(v,
                  [](C x) { return C(0.5) * x * (C(1) + std::erf(x * C(0.70710678118654752))); });
    case SLUICE_CUDA_GELU_TANH:
      return each(v, [](C x) {
        return C(0.5) * x *
               (C(1) + std::tanh(C(0.79788456080286536) * (x + C(0.044715) * x * x * x)));
      });
    case SLUICE_CUDA_TANH:
      return each(v, [](C x) { return std::tanh(x); });
    case SLUICE_CUDA_EXP:
      return each(v, [](C x) { return std::exp(x); });
    case SLUICE_CUDA_LOG:
      return each(v, [](C x) { return std::log(x); });
    case SLUICE_CUDA_SQRT:
      return each(v, [](C x) { return std::sqrt(x); });
    case SLUICE_CUDA_RECIPROCAL:
      return each(v, [](C x) { return C(1) / x; });
    case SLUICE_CUDA_ERF:
      return each(v, [](C x) { return std::erf(x); });
    case SLUICE_CUDA_NEG:
      return each(v, [](C x) { return -x; });
    case SLUICE_CUDA_ABS:
      return each(v, [](C x) { return std::abs(x); });
    case SLUICE_CUDA_FLOOR:
      return each(v, [](C x) { return std::floor(x); });
    case SLUICE_CUDA_CEIL:
      return each(v, [](C x) { return std::ceil(x); });
    case SLUICE_CUDA_ROUND:
      return each(v, [](C x) { return std::nearbyint(x); });
    case SLUICE_CUDA_SIGN:
      return each(v, [](C x) { return x > C(0) ? C(1) : (x < C(0) ? C(-1) : x); });
    case SLUICE_CUDA_ELU:
      return each(v, [=](C x) { return x < C(0) ? alpha * std::expm1(x) : x; });
    case SLUICE_CUDA_SELU:
      return each(v, [=](C x) { return beta * (x < C(0) ? alpha * std::expm1(x) : x); });
    case SLUICE_CUDA_CELU:
      return each(v, [=](C x) { return x < C(0) ? alpha * std::expm1(x / alpha) : x; });
    case SLUICE_CUDA_SOFTPLUS:
      return each(v, [](C x) { return softplus(x); });
    case SLUICE_CUDA_SOFTSIGN:
      return each(v, [](C x) { return x / (C(1) + std::abs(x)); });
    case SLUICE_CUDA_THRESHOLDED_RELU:
      return each(v, [=](C x) { return x > alpha ? x : C(0); });
    case SLUICE_CUDA_MISH:
      return each(v, [](C x) { return x * std::tanh(softplus(x)); });
    case SLUICE_CUDA_NOT:
      return each(v, [](C x) { return x == C(0) ? C(1) : C(0); });
    default:
      return apply_lean(function, alpha, beta, v);
  }
}

template <int N>
__device__ __forceinline__ void scale_and_shift(const sluice_cuda_activation& activation,
                                                float (&v)[N]) {
  const float scale = activation.scale, shift = activation.shift;
  if (scale != 1.0f || shift != 0.0f) each(v, [=](float x) { return scale * x + shift; });
}

// What an epilogue has: everything but the rare ones. REQUIRES: is_rare(function) is false.
template <int N>
__device__ __forceinline__ void activate(const sluice_cuda_activation& activation, float (&v)[N]) {
  if (activation.function < 0) return;
  apply_function(activation.function, activation.alpha, activation.beta, v);
  scale_and_shift(activation, v);
}

// REQUIRES: is_lean(function).
template <int N>
__device__ __forceinline__ void activate_lean(const sluice_cuda_activation& activation,
                                              float (&v)[N]) {
  if (activation.function < 0) return;
  apply_lean(activation.function, activation.alpha, activation.beta, v);
  scale_and_shift(activation, v);
}

__device__ __forceinline__ float activate(const sluice_cuda_activation& activation, float value) {
  float v[1] = {value};
  activate(activation, v);
  return v[0];
}

inline bool has_rare(const sluice_cuda_activation& activation) {
  return activation.function >= 0 && is_rare(activation.function);
}

template <class C, int N, class F>
__device__ __forceinline__ void each_pair(C (&a)[N], const C (&b)[N], bool reversed, F f) {
#pragma unroll
  for (int i = 0; i < N; ++i) a[i] = reversed ? f(b[i], a[i]) : f(a[i], b[i]);
}

// The remainder with the sign of the divisor.
template <class C>
__device__ __forceinline__ C modulo(C a, C b) {
  const C rest = std::fmod(a, b);
  return rest != C(0) && (rest < C(0)) != (b < C(0)) ? rest + b : rest;
}

template <class C, int N>
__device__ __forceinline__ void apply_binary(int function, bool reversed, C (&a)[N],
                                             const C (&b)[N]) {
  const auto pairs = [&](auto f) { each_pair(a, b, reversed, f); };
  switch (function) {
    case SLUICE_CUDA_ADD:
      return pairs([](C x, C y) { return x + y; });
    case SLUICE_CUDA_SUB:
      return pairs([](C x, C y) { return x - y; });
    case SLUICE_CUDA_MUL:
      return pairs([](C x, C y) { return x * y; });
    case SLUICE_CUDA_DIV:
      return pairs([](C x, C y) { return x / y; });
    case SLUICE_CUDA_POW:
      return pairs([](C x, C y) { return y == C(2) ? x * x : std::pow(x, y); });
    case SLUICE_CUDA_MIN:  // a NaN on either side wins
      return pairs([](C x, C y) { return x < y || x != x ? x : y; });
    case SLUICE_CUDA_MAX:
      return pairs([](C x, C y) { return x > y || x != x ? x : y; });
    case SLUICE_CUDA_MOD:
      return pairs([](C x, C y) { return modulo(x, y); });
    case SLUICE_CUDA_FMOD:
      return pairs([](C x, C y) { return std::fmod(x, y); });
    case SLUICE_CUDA_PRELU:
      return pairs([](C x, C y) { return x < C(0) ? x * y : x; });
    case SLUICE_CUDA_AND:
      return pairs([](C x, C y) { return x != C(0) && y != C(0) ? C(1) : C(0); });
    case SLUICE_CUDA_OR:
      return pairs([](C x, C y) { return x != C(0) || y != C(0) ? C(1) : C(0); });
    case SLUICE_CUDA_XOR:
      return pairs([](C x, C y) { return (x != C(0)) != (y != C(0)) ? C(1) : C(0); });
    case SLUICE_CUDA_EQUAL:
      return pairs([](C x, C y) { return x == y ? C(1) : C(0); });
    case SLUICE_CUDA_LESS:
      return pairs([](C x, C y) { return x < y ? C(1) : C(0); });
    case SLUICE_CUDA_LESS_OR_EQUAL:
      return pairs([](C x, C y) { return x <= y ? C(1) : C(0); });
    case SLUICE_CUDA_GREATER:
      return pairs([](C x, C y) { return x > y ? C(1) : C(0); });
    case SLUICE_CUDA_GREATER_OR_EQUAL:
      return pairs([](C x, C y) { return x >= y ? C(1) : C(0); });
    default:
      return;
  }
}

}  // namespace sluice::cuda
