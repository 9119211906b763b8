#include "sluice/nodes/infer/native/kernels/simd/tile.h"

#if SLUICE_SIMD_AVX512
#include <array>
#include <cassert>
#include <utility>

#define SLUICE_TARGET_BF16 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")))

namespace sluice::kernels::SLUICE_SIMD {
namespace {

// Two products a lane: a pair of the input with a pair of the weights.
SLUICE_TARGET_BF16 __attribute__((always_inline)) inline Vec dot(Vec x, Vec w, Vec sum) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w));
}

SLUICE_TARGET_BF16 __attribute__((always_inline)) inline Half dot(Half x, Half w, Half sum) {
  return _mm256_dpbf16_ps(sum, reinterpret_cast<__m256bh>(x), reinterpret_cast<__m256bh>(w));
}

template <int kRows, int kVectors, bool kEndsInHalf>
SLUICE_TARGET_BF16 void product_of(const ProductTile& tile) {
  constexpr int kWhole = kEndsInHalf ? kVectors - 1 : kVectors;
  constexpr int kWidth = kWhole * kLanes + (kEndsInHalf ? kLanes / 2 : 0);
  Vec sums[kRows][kVectors];
  Half halves[kRows];
#pragma GCC unroll 4
  for (int v = 0; v < kWhole; ++v) {
    const Vec bias = load(tile.to.bias + v * kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) sums[r][v] = bias;
  }
  if constexpr (kEndsInHalf) {
    const Half bias = half_load(tile.to.bias + kWhole * kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) halves[r] = bias;
  }
  const float* weights = tile.weights;
  const std::int64_t step = tile.step;
  for (std::int64_t s = 0; s < tile.segment_count; ++s) {
    const float* row = tile.segments[s];
    for (std::int64_t k = 0; k < tile.run; ++k, ++row, weights += kWidth) {
      Vec w[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kWhole; ++v) w[v] = load(weights + v * kLanes);
      Half last_w = {};
      if constexpr (kEndsInHalf) last_w = half_load(weights + kWhole * kLanes);
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        const float value = row[r * step];
#pragma GCC unroll 4
        for (int v = 0; v < kWhole; ++v) sums[r][v] = dot(all(value), w[v], sums[r][v]);
        if constexpr (kEndsInHalf) halves[r] = dot(half_all(value), last_w, halves[r]);
      }
    }
  }
  if constexpr (kEndsInHalf) {
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) sums[r][kWhole] = widened(halves[r]);
  }
  finish<kRows, kVectors>(tile.to, row_lanes(tile.columns, kVectors - 1), sums);
}

using Product = void (*)(const ProductTile&);

template <int kVectors, bool kEndsInHalf, int... kRows>
constexpr auto products(std::integer_sequence<int, kRows...>) {
  return std::array<Product, sizeof...(kRows)>{product_of<kRows + 1, kVectors, kEndsInHalf>...};
}
template <int kVectors, bool kEndsInHalf>
constexpr auto kProducts =
    products<kVectors, kEndsInHalf>(std::make_integer_sequence<int, kMaxRows[kVectors]>{});

template <int kVectors>
void run(const ProductTile& tile) {
  assert(tile.rows >= 1 && tile.rows <= kMaxRows[kVectors]);
  const auto index = static_cast<std::size_t>(tile.rows - 1);
  if (tile.ends_in_half) return kProducts<kVectors, true>[index](tile);
  kProducts<kVectors, false>[index](tile);
}

}  // namespace

void product_bf16(const ProductTile& tile) {
  switch (tile.vectors) {
    case 1:
      return run<1>(tile);
    case 2:
      return run<2>(tile);
    case 3:
      return run<3>(tile);
    default:
      return run<4>(tile);
  }
}

SLUICE_TARGET_BF16 void round_to_bf16(std::int64_t count, const float* from, std::uint16_t* to) {
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const __m256bh half = _mm512_cvtneps_pbh(load(from + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), reinterpret_cast<__m256i>(half));
  }
  if (i == count) return;
  const Mask mask = row_lanes(count - i, 0);
  const __m256bh half = _mm512_cvtneps_pbh(load(from + i, mask));
  _mm256_mask_storeu_epi16(to + i, mask, reinterpret_cast<__m256i>(half));
}

}  // namespace sluice::kernels::SLUICE_SIMD
#endif
