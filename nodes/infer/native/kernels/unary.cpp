#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/kernels/elementwise.h"
#include "sluice/nodes/infer/native/kernels/vector_math.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sluice::kernels {
namespace {

// One value, with the standard library: the portable path, and functions nobody runs often.
float evaluate(Unary fn, float x, float alpha, float beta) {
  switch (fn) {
    case Unary::kIdentity:
      return x;
    case Unary::kRelu:
      return x < 0.0f ? 0.0f : x;
    case Unary::kClip:
      return x < alpha ? alpha : (x > beta ? beta : x);
    case Unary::kLeakyRelu:
      return x < 0.0f ? alpha * x : x;
    case Unary::kSigmoid:
      return 1.0f / (1.0f + std::exp(-x));
    case Unary::kSilu:
      return x / (1.0f + std::exp(-x));
    case Unary::kHardSigmoid:
      return std::clamp(alpha * x + beta, 0.0f, 1.0f);
    case Unary::kHardSwish:
      return x * std::clamp(x / 6.0f + 0.5f, 0.0f, 1.0f);
    case Unary::kGelu:
      return 0.5f * x * (1.0f + std::erf(x * 0.70710678f));
    case Unary::kGeluTanh:
      return 0.5f * x * (1.0f + std::tanh(0.79788456f * (x + 0.044715f * x * x * x)));
    case Unary::kTanh:
      return std::tanh(x);
    case Unary::kExp:
      return std::exp(x);
    case Unary::kLog:
      return std::log(x);
    case Unary::kSqrt:
      return std::sqrt(x);
    case Unary::kReciprocal:
      return 1.0f / x;
    case Unary::kErf:
      return std::erf(x);
    case Unary::kNeg:
      return -x;
    case Unary::kAbs:
      return std::fabs(x);
    case Unary::kFloor:
      return std::floor(x);
    case Unary::kCeil:
      return std::ceil(x);
    case Unary::kRound:
      return std::nearbyint(x);
    case Unary::kSign:
      return x > 0.0f ? 1.0f : (x < 0.0f ? -1.0f : x);
    case Unary::kElu:
      return x < 0.0f ? alpha * std::expm1(x) : x;
    case Unary::kSelu:
      return beta * (x < 0.0f ? alpha * std::expm1(x) : x);
    case Unary::kCelu:
      return x < 0.0f ? alpha * std::expm1(x / alpha) : x;
    // log(1 + e^x) without overflow.
    case Unary::kSoftplus:
      return std::max(x, 0.0f) + std::log1p(std::exp(-std::fabs(x)));
    case Unary::kSoftsign:
      return x / (1.0f + std::fabs(x));
    case Unary::kThresholdedRelu:
      return x > alpha ? x : 0.0f;
    case Unary::kMish:
      return x * std::tanh(std::max(x, 0.0f) + std::log1p(std::exp(-std::fabs(x))));
    case Unary::kSin:
      return std::sin(x);
    case Unary::kCos:
      return std::cos(x);
    case Unary::kTan:
      return std::tan(x);
    case Unary::kAsin:
      return std::asin(x);
    case Unary::kAcos:
      return std::acos(x);
    case Unary::kAtan:
      return std::atan(x);
    case Unary::kSinh:
      return std::sinh(x);
    case Unary::kCosh:
      return std::cosh(x);
  }
  return x;
}

#if SLUICE_HAVE_AVX2
template <Unary kFn>
SLUICE_AVX2_INLINE __m256 vector_function(__m256 x, __m256 alpha, __m256 beta) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  if constexpr (kFn == Unary::kRelu) return avx2::activate<ActivationKind::kRelu>(x, alpha, beta);
  if constexpr (kFn == Unary::kClip) return avx2::activate<ActivationKind::kClip>(x, alpha, beta);
  if constexpr (kFn == Unary::kLeakyRelu)
    return avx2::activate<ActivationKind::kLeakyRelu>(x, alpha, beta);
  if constexpr (kFn == Unary::kSigmoid) return avx2::sigmoid(x);
  if constexpr (kFn == Unary::kSilu) return avx2::silu(x);
  if constexpr (kFn == Unary::kHardSigmoid)
    return avx2::activate<ActivationKind::kHardSigmoid>(x, alpha, beta);
  if constexpr (kFn == Unary::kHardSwish)
    return avx2::activate<ActivationKind::kHardSwish>(x, alpha, beta);
  if constexpr (kFn == Unary::kGelu) return avx2::gelu(x);
  if constexpr (kFn == Unary::kGeluTanh) {
    const __m256 square = _mm256_mul_ps(x, x);
    const __m256 scale = _mm256_fmadd_ps(square, _mm256_set1_ps(0.044715f * 0.79788456f),
                                         _mm256_set1_ps(0.79788456f));
    const __m256 half = _mm256_mul_ps(x, _mm256_set1_ps(0.5f));
    return _mm256_fmadd_ps(half, avx2::tanh(_mm256_mul_ps(x, scale)), half);
  }
  if constexpr (kFn == Unary::kTanh) return avx2::tanh(x);
  if constexpr (kFn == Unary::kExp) return avx2::exp(x);
  if constexpr (kFn == Unary::kErf) return avx2::erf(x);
  if constexpr (kFn == Unary::kSqrt) return _mm256_sqrt_ps(x);
  if constexpr (kFn == Unary::kReciprocal) return _mm256_div_ps(_mm256_set1_ps(1.0f), x);
  if constexpr (kFn == Unary::kNeg) return _mm256_xor_ps(x, sign);
  if constexpr (kFn == Unary::kAbs) return _mm256_andnot_ps(sign, x);
  if constexpr (kFn == Unary::kFloor) return _mm256_floor_ps(x);
  if constexpr (kFn == Unary::kCeil) return _mm256_ceil_ps(x);
  if constexpr (kFn == Unary::kRound)
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return x;
}

template <Unary kFn>
SLUICE_AVX2 bool run(float alpha, float beta, std::int64_t count, const float* input,
                     float* output) {
  const __m256 a = _mm256_set1_ps(alpha), b = _mm256_set1_ps(beta);
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m256 x0 = _mm256_loadu_ps(input + i), x1 = _mm256_loadu_ps(input + i + 8);
    _mm256_storeu_ps(output + i, vector_function<kFn>(x0, a, b));
    _mm256_storeu_ps(output + i + 8, vector_function<kFn>(x1, a, b));
  }
  for (; i < count; i += 8) {
    const __m256i mask = avx2::lane_mask(static_cast<int>(std::min<std::int64_t>(8, count - i)));
    _mm256_maskstore_ps(output + i, mask,
                        vector_function<kFn>(_mm256_maskload_ps(input + i, mask), a, b));
  }
  return true;
}

// Returns false for a function without a vector form.
bool run_vectors(Unary fn, float alpha, float beta, std::int64_t count, const float* input,
                 float* output) {
  switch (fn) {
    case Unary::kRelu:
      return run<Unary::kRelu>(alpha, beta, count, input, output);
    case Unary::kClip:
      return run<Unary::kClip>(alpha, beta, count, input, output);
    case Unary::kLeakyRelu:
      return run<Unary::kLeakyRelu>(alpha, beta, count, input, output);
    case Unary::kSigmoid:
      return run<Unary::kSigmoid>(alpha, beta, count, input, output);
    case Unary::kSilu:
      return run<Unary::kSilu>(alpha, beta, count, input, output);
    case Unary::kHardSigmoid:
      return run<Unary::kHardSigmoid>(alpha, beta, count, input, output);
    case Unary::kHardSwish:
      return run<Unary::kHardSwish>(alpha, beta, count, input, output);
    case Unary::kGelu:
      return run<Unary::kGelu>(alpha, beta, count, input, output);
    case Unary::kGeluTanh:
      return run<Unary::kGeluTanh>(alpha, beta, count, input, output);
    case Unary::kTanh:
      return run<Unary::kTanh>(alpha, beta, count, input, output);
    case Unary::kExp:
      return run<Unary::kExp>(alpha, beta, count, input, output);
    case Unary::kErf:
      return run<Unary::kErf>(alpha, beta, count, input, output);
    case Unary::kSqrt:
      return run<Unary::kSqrt>(alpha, beta, count, input, output);
    case Unary::kReciprocal:
      return run<Unary::kReciprocal>(alpha, beta, count, input, output);
    case Unary::kNeg:
      return run<Unary::kNeg>(alpha, beta, count, input, output);
    case Unary::kAbs:
      return run<Unary::kAbs>(alpha, beta, count, input, output);
    case Unary::kFloor:
      return run<Unary::kFloor>(alpha, beta, count, input, output);
    case Unary::kCeil:
      return run<Unary::kCeil>(alpha, beta, count, input, output);
    case Unary::kRound:
      return run<Unary::kRound>(alpha, beta, count, input, output);
    default:
      return false;
  }
}
#else
bool run_vectors(Unary, float, float, std::int64_t, const float*, float*) { return false; }
#endif

Unary unary_of(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::kNone:
      return Unary::kIdentity;
    case ActivationKind::kRelu:
      return Unary::kRelu;
    case ActivationKind::kClip:
      return Unary::kClip;
    case ActivationKind::kLeakyRelu:
      return Unary::kLeakyRelu;
    case ActivationKind::kSigmoid:
      return Unary::kSigmoid;
    case ActivationKind::kSilu:
      return Unary::kSilu;
    case ActivationKind::kHardSigmoid:
      return Unary::kHardSigmoid;
    case ActivationKind::kHardSwish:
      return Unary::kHardSwish;
    case ActivationKind::kGelu:
      return Unary::kGelu;
    case ActivationKind::kTanh:
      return Unary::kTanh;
  }
  return Unary::kIdentity;
}

template <class T>
void integers(Unary fn, T low, T high, std::int64_t count, const T* input, T* output) {
  for (std::int64_t i = 0; i < count; ++i) {
    const T x = input[i];
    switch (fn) {
      case Unary::kNeg:
        output[i] = -x;
        break;
      case Unary::kAbs:
        output[i] = x < 0 ? -x : x;
        break;
      case Unary::kSign:
        output[i] = x > 0 ? 1 : (x < 0 ? -1 : 0);
        break;
      case Unary::kRelu:
        output[i] = x < 0 ? 0 : x;
        break;
      case Unary::kClip:
        output[i] = x < low ? low : (x > high ? high : x);
        break;
      default:
        output[i] = x;
    }
  }
}

}  // namespace

void unary(Unary fn, float alpha, float beta, std::int64_t count, const float* input,
           float* output) {
  if (fn == Unary::kIdentity) {
    if (input != output) std::copy_n(input, count, output);
    return;
  }
  if (isa() >= Isa::kAvx2 && run_vectors(fn, alpha, beta, count, input, output)) return;
  for (std::int64_t i = 0; i < count; ++i) output[i] = evaluate(fn, input[i], alpha, beta);
}

void unary_i64(Unary fn, std::int64_t low, std::int64_t high, std::int64_t count,
               const std::int64_t* input, std::int64_t* output) {
  integers(fn, low, high, count, input, output);
}

void unary_i32(Unary fn, std::int64_t low, std::int64_t high, std::int64_t count,
               const std::int32_t* input, std::int32_t* output) {
  constexpr std::int64_t kMin = INT32_MIN, kMax = INT32_MAX;
  integers(fn, static_cast<std::int32_t>(std::clamp(low, kMin, kMax)),
           static_cast<std::int32_t>(std::clamp(high, kMin, kMax)), count, input, output);
}

void apply(const Activation& activation, std::int64_t count, const float* input, float* output) {
  unary(unary_of(activation.kind), activation.alpha, activation.beta, count, input, output);
  if (!activation.is_scaled()) return;
  for (std::int64_t i = 0; i < count; ++i) {
    output[i] = output[i] * activation.scale + activation.shift;
  }
}

void logical_not(std::int64_t count, const bool* input, bool* output) {
  for (std::int64_t i = 0; i < count; ++i) output[i] = !input[i];
}

}  // namespace sluice::kernels
