#pragma once

#include "sluice/nodes/infer/native/kernels/simd/vector.h"
#include "sluice/nodes/infer/native/kernels/types.h"

// Functions of one vector. The polynomials are our own minimax fits (iteratively reweighted least
// squares in double precision, then rounded); the bounds were measured over the whole range in
// fp32.
namespace sluice::kernels::SLUICE_SIMD {

// exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2; exp(r) by a polynomial of degree 6,
// relative error 2e-7. Results below the normal range are 0, above it infinity; NaN stays NaN.
SLUICE_INLINE Vec exp(Vec x) {
  const Vec low = all(-87.33654f);
  const Vec clamped = max(low, min(all(89.0f), x));
  const Vec n = round(mul(clamped, all(1.44269504f)));
  Vec r = fnma(n, all(0.693359375f), clamped);
  r = fnma(n, all(-2.12194440e-4f), r);
  Vec p = all(0.0013814539f);
  p = fma(p, r, all(0.008368745f));
  p = fma(p, r, all(0.04166839f));
  p = fma(p, r, all(0.16666521f));
  p = fma(p, r, all(0.49999994f));
  p = fma(p, mul(r, r), add(r, all(1.0f)));
  return if_less(x, low, zero(), scaled(p, n));
}

SLUICE_INLINE Vec sigmoid(Vec x) { return div(all(1.0f), add(all(1.0f), exp(sub(zero(), x)))); }
SLUICE_INLINE Vec silu(Vec x) { return div(x, add(all(1.0f), exp(sub(zero(), x)))); }

SLUICE_INLINE Vec horner(Vec u, const float (&c)[6]) {
  Vec p = all(c[5]);
  p = fma(p, u, all(c[4]));
  p = fma(p, u, all(c[3]));
  p = fma(p, u, all(c[2]));
  p = fma(p, u, all(c[1]));
  return fma(p, u, all(c[0]));
}

// With the constant first, min and max pass a NaN on.
SLUICE_INLINE Vec clamp(Vec x, Vec low, Vec high) { return min(high, max(low, x)); }

// x P(x^2) / Q(x^2), degrees 4 and 4 in x^2, on |x| <= 9, and 1 from 9.3 on. Relative error 4e-7.
SLUICE_INLINE Vec tanh(Vec x) {
  constexpr float kP[6] = {1.0f, 0.13381039f, 0.0034956036f, 2.0609306e-05f, 1.3354917e-08f, 0.0f};
  constexpr float kQ[6] = {1.0f, 0.46714354f, 0.025877044f, 0.0003285659f, 7.776674e-07f, 0.0f};
  x = clamp(x, all(-9.3f), all(9.3f));
  const Vec u = mul(x, x);
  return clamp(div(mul(x, horner(u, kP)), horner(u, kQ)), all(-1.0f), all(1.0f));
}

#if SLUICE_SIMD_AVX512
// x (1/2 + sign(x) h(|x|)) with h(a) = erf(a / sqrt 2) / 2 in 16 pieces of width 0.35, each of
// degree 4 in its own [0, 1); a table of 16 floats is one register, and no division is left. |error
// of h| <= 1.6e-7.
SLUICE_INLINE Vec gelu(Vec x) {
  alignas(64) static constexpr float kPieces[5][16] = {
      {9.4051106e-08f, 0.13683069f, 0.25803632f, 0.35314089f, 0.41924328f, 0.45994082f, 0.48213556f,
       0.49285719f, 0.49744487f, 0.49918365f, 0.49976736f, 0.4999408f, 0.49998665f, 0.49999732f,
       0.49999952f, 0.5f},
      {0.13962506f, 0.13133191f, 0.10928994f, 0.08046172f, 0.052407458f, 0.030198585f, 0.015394468f,
       0.0069425954f, 0.0027698318f, 0.00097758428f, 0.00030522476f, 8.4303538e-05f, 2.0598163e-05f,
       4.4520939e-06f, 8.5123662e-07f, 0.0f},
      {3.8335820e-05f, -0.0080255009f, -0.013395476f, -0.014807742f, -0.012862145f, -0.0092604766f,
       -0.0056593702f, -0.0029731286f, -0.0013528663f, -0.00053580588f, -0.00018531849f,
       -5.6107754e-05f, -1.4896546e-05f, -3.4728862e-06f, -7.1169444e-07f, 0.0f},
      {-0.0029594540f, -0.0024091380f, -0.0011202910f, 0.00023277130f, 0.0010925374f, 0.0013086990f,
       0.0010785895f, 0.00069920596f, 0.00037383704f, 0.00016864132f, 6.5019201e-05f,
       2.1598535e-05f, 6.2155191e-06f, 1.5555405e-06f, 3.3953020e-07f, 0.0f},
      {0.00012652828f, 0.00030834851f, 0.00033047158f, 0.00021577174f, 5.9765400e-05f,
       -5.2011350e-05f, -9.2070535e-05f, -8.1012113e-05f, -5.2047410e-05f, -2.6712431e-05f,
       -1.1363652e-05f, -4.0846721e-06f, -1.2549109e-06f, -3.3199845e-07f, -7.6030041e-08f, 0.0f}};
  const Vec t = min(all(15.75f), mul(absolute(x), all(1.0f / 0.35f)));
  const __m512i piece = _mm512_cvttps_epi32(t);
  const Vec r = sub(t, _mm512_cvtepi32_ps(piece));
  Vec h = _mm512_permutexvar_ps(piece, _mm512_load_ps(kPieces[4]));
  h = fma(h, r, _mm512_permutexvar_ps(piece, _mm512_load_ps(kPieces[3])));
  h = fma(h, r, _mm512_permutexvar_ps(piece, _mm512_load_ps(kPieces[2])));
  h = fma(h, r, _mm512_permutexvar_ps(piece, _mm512_load_ps(kPieces[1])));
  h = fma(h, r, _mm512_permutexvar_ps(piece, _mm512_load_ps(kPieces[0])));
  return fma(x, signed_as(h, x), mul(x, all(0.5f)));
}
#else
// erf as x P(x^2) / Q(x^2), degrees 5 and 5 in x^2, on |x| <= 3.92, beyond which it is 1 in fp32.
// Relative error 4e-7.
SLUICE_INLINE Vec gelu(Vec x) {
  constexpr float kP[6] = {1.1283791f,    0.19040535f,   0.05274848f,
                           0.0037655376f, 0.0002848755f, 2.0500272e-06f};
  constexpr float kQ[6] = {1.0f,          0.5020751f,    0.11410856f,
                           0.0149690695f, 0.0011625058f, 3.809071e-05f};
  const Vec y = clamp(mul(x, all(0.70710678f)), all(-4.0f), all(4.0f));
  const Vec u = mul(y, y);
  const Vec erf = clamp(div(mul(y, horner(u, kP)), horner(u, kQ)), all(-1.0f), all(1.0f));
  const Vec half = mul(x, all(0.5f));
  return fma(half, erf, half);
}
#endif

template <ActivationKind kKind>
SLUICE_INLINE Vec activate(Vec x, Vec alpha, Vec beta) {
  if constexpr (kKind == ActivationKind::kRelu) return max(zero(), x);
  if constexpr (kKind == ActivationKind::kClip) return clamp(x, alpha, beta);
  if constexpr (kKind == ActivationKind::kLeakyRelu) return if_less(x, zero(), mul(x, alpha), x);
  if constexpr (kKind == ActivationKind::kSigmoid) return sigmoid(x);
  if constexpr (kKind == ActivationKind::kSilu) return silu(x);
  if constexpr (kKind == ActivationKind::kHardSigmoid) {
    return clamp(fma(alpha, x, beta), zero(), all(1.0f));
  }
  if constexpr (kKind == ActivationKind::kHardSwish) {
    return mul(x, clamp(fma(all(1.0f / 6.0f), x, all(0.5f)), zero(), all(1.0f)));
  }
  if constexpr (kKind == ActivationKind::kGelu) return gelu(x);
  if constexpr (kKind == ActivationKind::kTanh) return tanh(x);
  return x;
}

}  // namespace sluice::kernels::SLUICE_SIMD
