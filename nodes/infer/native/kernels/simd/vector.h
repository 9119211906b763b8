#pragma once

#include <immintrin.h>

#include <cstdint>

// The vocabulary in which the kernels of this folder are written. Each of its .cpp files is
// compiled once an instruction set, which SLUICE_SIMD_AVX512 and SLUICE_SIMD_BF16 say by 1 or 0,
// and everything in it lies in the namespace SLUICE_SIMD, so that no two of them meet. Functions
// are marked SLUICE_TARGET one by one; there are no lambdas, as a lambda does not inherit its
// function's target.
#if SLUICE_SIMD_BF16
#define SLUICE_SIMD avx512_bf16
#define SLUICE_TARGET \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")))
#elif SLUICE_SIMD_AVX512
#define SLUICE_SIMD avx512
#define SLUICE_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#else
#define SLUICE_SIMD avx2
#define SLUICE_TARGET __attribute__((target("avx2,fma")))
#endif
#define SLUICE_INLINE SLUICE_TARGET __attribute__((always_inline)) inline

namespace sluice::kernels::SLUICE_SIMD {

// Where a NaN meets a number, min and max give their second operand.
#if SLUICE_SIMD_AVX512
inline constexpr int kLanes = 16;
using Vec = __m512;
using Mask = __mmask16;

SLUICE_INLINE Vec zero() { return _mm512_setzero_ps(); }
SLUICE_INLINE Vec all(float x) { return _mm512_set1_ps(x); }
SLUICE_INLINE Vec load(const float* from) { return _mm512_loadu_ps(from); }
SLUICE_INLINE void store(float* to, Vec x) { _mm512_storeu_ps(to, x); }
// The first `count` (0..kLanes) lanes. Others are read as 0 and not written.
SLUICE_INLINE Mask lanes(int count) { return static_cast<Mask>((1u << count) - 1u); }
SLUICE_INLINE Vec load(const float* from, Mask mask) { return _mm512_maskz_loadu_ps(mask, from); }
SLUICE_INLINE void store(float* to, Mask mask, Vec x) { _mm512_mask_storeu_ps(to, mask, x); }
SLUICE_INLINE Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
SLUICE_INLINE Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
SLUICE_INLINE Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
SLUICE_INLINE Vec div(Vec a, Vec b) { return _mm512_div_ps(a, b); }
SLUICE_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
SLUICE_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a, b, c); }
SLUICE_INLINE Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
SLUICE_INLINE Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
SLUICE_INLINE Vec absolute(Vec x) { return _mm512_abs_ps(x); }
SLUICE_INLINE Vec sqrt(Vec x) { return _mm512_sqrt_ps(x); }
SLUICE_INLINE Vec round(Vec x) {
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// x with the sign of `sign`. REQUIRES: x >= 0.
SLUICE_INLINE Vec signed_as(Vec x, Vec sign) {
  return _mm512_or_ps(x, _mm512_and_ps(sign, _mm512_set1_ps(-0.0f)));
}
// x * 2^n for whole n.
SLUICE_INLINE Vec scaled(Vec x, Vec n) { return _mm512_scalef_ps(x, n); }
// a < b ? x : y
SLUICE_INLINE Vec if_less(Vec a, Vec b, Vec x, Vec y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}

// Half as many lanes.
using Half = __m256;
SLUICE_INLINE Half half_all(float x) { return _mm256_set1_ps(x); }
SLUICE_INLINE Half half_load(const float* from) { return _mm256_loadu_ps(from); }
SLUICE_INLINE Half fma(Half a, Half b, Half c) { return _mm256_fmadd_ps(a, b, c); }
// The upper lanes are anything.
SLUICE_INLINE Vec widened(Half x) { return _mm512_castps256_ps512(x); }
#else
inline constexpr int kLanes = 8;
using Vec = __m256;
using Mask = __m256i;

SLUICE_INLINE Vec zero() { return _mm256_setzero_ps(); }
SLUICE_INLINE Vec all(float x) { return _mm256_set1_ps(x); }
SLUICE_INLINE Vec load(const float* from) { return _mm256_loadu_ps(from); }
SLUICE_INLINE void store(float* to, Vec x) { _mm256_storeu_ps(to, x); }
SLUICE_INLINE Mask lanes(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
SLUICE_INLINE Vec load(const float* from, Mask mask) { return _mm256_maskload_ps(from, mask); }
SLUICE_INLINE void store(float* to, Mask mask, Vec x) { _mm256_maskstore_ps(to, mask, x); }
SLUICE_INLINE Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
SLUICE_INLINE Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
SLUICE_INLINE Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
SLUICE_INLINE Vec div(Vec a, Vec b) { return _mm256_div_ps(a, b); }
SLUICE_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
SLUICE_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm256_fnmadd_ps(a, b, c); }
SLUICE_INLINE Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
SLUICE_INLINE Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
SLUICE_INLINE Vec sqrt(Vec x) { return _mm256_sqrt_ps(x); }
SLUICE_INLINE Vec absolute(Vec x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
SLUICE_INLINE Vec round(Vec x) {
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
SLUICE_INLINE Vec signed_as(Vec x, Vec sign) {
  return _mm256_or_ps(x, _mm256_and_ps(sign, _mm256_set1_ps(-0.0f)));
}
// REQUIRES: |n| <= 252. In two factors, as a result near the largest number has n = 128.
SLUICE_INLINE Vec scaled(Vec x, Vec n) {
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i bias = _mm256_set1_epi32(127);
  const __m256i rest = _mm256_sub_epi32(whole, half);
  const Vec f1 = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
  const Vec f2 = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
  return _mm256_mul_ps(_mm256_mul_ps(x, f1), f2);
}
SLUICE_INLINE Vec if_less(Vec a, Vec b, Vec x, Vec y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

using Half = __m128;
SLUICE_INLINE Half half_all(float x) { return _mm_set1_ps(x); }
SLUICE_INLINE Half half_load(const float* from) { return _mm_loadu_ps(from); }
SLUICE_INLINE Half fma(Half a, Half b, Half c) { return _mm_fmadd_ps(a, b, c); }
SLUICE_INLINE Vec widened(Half x) { return _mm256_castps128_ps256(x); }
#endif

// An element in memory that is read and written as a float.
struct Bf16 {
  std::uint16_t bits;
};

#if SLUICE_SIMD_BF16
inline constexpr bool kHasBf16 = true;

SLUICE_INLINE Vec widened(__m256i bf16) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16));
}
SLUICE_INLINE __m256i rounded(Vec x) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x)); }
SLUICE_INLINE Vec load(const Bf16* from) {
  return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
SLUICE_INLINE Vec load(const Bf16* from, Mask mask) {
  return widened(_mm256_maskz_loadu_epi16(mask, from));
}
SLUICE_INLINE void store(Bf16* to, Vec x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), rounded(x));
}
SLUICE_INLINE void store(Bf16* to, Mask mask, Vec x) {
  _mm256_mask_storeu_epi16(to, mask, rounded(x));
}
// sum + the two products of a lane, whose operands are pairs.
SLUICE_INLINE Vec dot(Vec x, Vec w, Vec sum) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w));
}
SLUICE_INLINE Half dot(Half x, Half w, Half sum) {
  return _mm256_dpbf16_ps(sum, reinterpret_cast<__m256bh>(x), reinterpret_cast<__m256bh>(w));
}
#else
inline constexpr bool kHasBf16 = false;
#endif

// The lanes that a row of `count` floats fills of its vector number `index`: all, some or none.
SLUICE_INLINE Mask row_lanes(std::int64_t count, int index) {
  const std::int64_t left = count - static_cast<std::int64_t>(index) * kLanes;
  return lanes(left >= kLanes ? kLanes : left > 0 ? static_cast<int>(left) : 0);
}

}  // namespace sluice::kernels::SLUICE_SIMD
