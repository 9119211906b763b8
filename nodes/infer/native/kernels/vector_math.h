#pragma once

#include "sluice/nodes/infer/native/kernels/target.h"
#include "sluice/nodes/infer/native/kernels/types.h"

#if SLUICE_HAVE_AVX2
#include <immintrin.h>

// Functions of eight floats. The polynomials are our own minimax fits (iteratively reweighted least
// squares in double precision, then rounded); the bounds were measured over the whole range in
// fp32.
namespace sluice::kernels::avx2 {

// The first `count` (0..8) lanes, for masked loads and stores.
SLUICE_AVX2_INLINE __m256i lane_mask(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2; exp(r) by a polynomial of degree 6,
// relative error 2e-7. Results below the normal range are 0, above it infinity; NaN stays NaN.
SLUICE_AVX2_INLINE __m256 exp(__m256 x) {
  const __m256 low = _mm256_set1_ps(-87.33654f);
  const __m256 clamped = _mm256_max_ps(low, _mm256_min_ps(_mm256_set1_ps(89.0f), x));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(clamped, _mm256_set1_ps(1.44269504f)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), clamped);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  __m256 p = _mm256_set1_ps(0.0013814539f);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.008368745f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.04166839f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.16666521f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.49999994f));
  p = _mm256_fmadd_ps(p, _mm256_mul_ps(r, r), _mm256_add_ps(r, _mm256_set1_ps(1.0f)));
  // 2^n in two factors, as n reaches 128.
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256 f1 = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const __m256 f2 = _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23));
  p = _mm256_mul_ps(_mm256_mul_ps(p, f1), f2);
  return _mm256_andnot_ps(_mm256_cmp_ps(x, low, _CMP_LT_OQ), p);
}

// 1 / (1 + exp(-x)), relative error 4e-7; below -87 it is 0.
SLUICE_AVX2_INLINE __m256 sigmoid(__m256 x) {
  const __m256 one = _mm256_set1_ps(1.0f);
  const __m256 e = exp(_mm256_sub_ps(_mm256_setzero_ps(), x));
  return _mm256_div_ps(one, _mm256_add_ps(one, e));
}

SLUICE_AVX2_INLINE __m256 silu(__m256 x) {
  const __m256 e = exp(_mm256_sub_ps(_mm256_setzero_ps(), x));
  return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), e));
}

SLUICE_AVX2_INLINE __m256 horner(__m256 u, const float (&c)[6]) {
  __m256 p = _mm256_set1_ps(c[5]);
  p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(c[4]));
  p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(c[3]));
  p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(c[2]));
  p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(c[1]));
  return _mm256_fmadd_ps(p, u, _mm256_set1_ps(c[0]));
}

// NaN-keeping clamp to [-1, 1]: the fits overshoot 1 by an ulp or two.
SLUICE_AVX2_INLINE __m256 clamp_one(__m256 y) {
  return _mm256_max_ps(_mm256_set1_ps(-1.0f), _mm256_min_ps(_mm256_set1_ps(1.0f), y));
}

// x P(x^2) / Q(x^2), degrees 5 and 5 in x^2, on |x| <= 3.92, beyond which erf is 1 in fp32.
// Relative error 4e-7.
SLUICE_AVX2_INLINE __m256 erf(__m256 x) {
  constexpr float kP[6] = {1.1283791f,    0.19040535f,   0.05274848f,
                           0.0037655376f, 0.0002848755f, 2.0500272e-06f};
  constexpr float kQ[6] = {1.0f,          0.5020751f,    0.11410856f,
                           0.0149690695f, 0.0011625058f, 3.809071e-05f};
  x = _mm256_max_ps(_mm256_set1_ps(-4.0f), _mm256_min_ps(_mm256_set1_ps(4.0f), x));
  const __m256 u = _mm256_mul_ps(x, x);
  return clamp_one(_mm256_div_ps(_mm256_mul_ps(x, horner(u, kP)), horner(u, kQ)));
}

// x P(x^2) / Q(x^2), degrees 4 and 4 in x^2, on |x| <= 9, and 1 from 9.3 on. Relative error 4e-7.
SLUICE_AVX2_INLINE __m256 tanh(__m256 x) {
  constexpr float kP[6] = {1.0f, 0.13381039f, 0.0034956036f, 2.0609306e-05f, 1.3354917e-08f, 0.0f};
  constexpr float kQ[6] = {1.0f, 0.46714354f, 0.025877044f, 0.0003285659f, 7.776674e-07f, 0.0f};
  x = _mm256_max_ps(_mm256_set1_ps(-9.3f), _mm256_min_ps(_mm256_set1_ps(9.3f), x));
  const __m256 u = _mm256_mul_ps(x, x);
  return clamp_one(_mm256_div_ps(_mm256_mul_ps(x, horner(u, kP)), horner(u, kQ)));
}

SLUICE_AVX2_INLINE __m256 gelu(__m256 x) {
  const __m256 half = _mm256_mul_ps(x, _mm256_set1_ps(0.5f));
  return _mm256_fmadd_ps(half, erf(_mm256_mul_ps(x, _mm256_set1_ps(0.70710678f))), half);
}

// With the constant first, min and max pass a NaN on.
SLUICE_AVX2_INLINE __m256 clamp(__m256 x, __m256 low, __m256 high) {
  return _mm256_min_ps(high, _mm256_max_ps(low, x));
}

template <ActivationKind kKind>
SLUICE_AVX2_INLINE __m256 activate(__m256 x, __m256 alpha, __m256 beta) {
  const __m256 zero = _mm256_setzero_ps();
  const __m256 one = _mm256_set1_ps(1.0f);
  if constexpr (kKind == ActivationKind::kRelu) return _mm256_max_ps(zero, x);
  if constexpr (kKind == ActivationKind::kClip) return clamp(x, alpha, beta);
  if constexpr (kKind == ActivationKind::kLeakyRelu) {
    return _mm256_blendv_ps(x, _mm256_mul_ps(x, alpha), _mm256_cmp_ps(x, zero, _CMP_LT_OQ));
  }
  if constexpr (kKind == ActivationKind::kSigmoid) return sigmoid(x);
  if constexpr (kKind == ActivationKind::kSilu) return silu(x);
  if constexpr (kKind == ActivationKind::kHardSigmoid) {
    return clamp(_mm256_fmadd_ps(alpha, x, beta), zero, one);
  }
  if constexpr (kKind == ActivationKind::kHardSwish) {
    const __m256 gate = _mm256_fmadd_ps(_mm256_set1_ps(1.0f / 6.0f), x, _mm256_set1_ps(0.5f));
    return _mm256_mul_ps(x, clamp(gate, zero, one));
  }
  if constexpr (kKind == ActivationKind::kGelu) return gelu(x);
  if constexpr (kKind == ActivationKind::kTanh) return tanh(x);
  return x;
}

}  // namespace sluice::kernels::avx2
#endif
