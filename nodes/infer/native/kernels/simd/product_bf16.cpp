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

template <int kRows, int kVectors>
SLUICE_TARGET_BF16 void product_of(const ProductTile& tile) {
  Vec sums[kRows][kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const Vec bias = load(tile.to.bias + v * kLanes);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) sums[r][v] = bias;
  }
  const float* weights = tile.weights;
  const std::int64_t step = tile.step;
  for (std::int64_t s = 0; s < tile.segment_count; ++s) {
    const float* row = tile.segments[s];
    for (std::int64_t k = 0; k < tile.run; ++k, ++row, weights += kVectors * kLanes) {
      Vec w[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) w[v] = load(weights + v * kLanes);
#pragma GCC unroll 12
      for (int r = 0; r < kRows; ++r) {
        const Vec x = all(row[r * step]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sums[r][v] = dot(x, w[v], sums[r][v]);
      }
    }
  }
  finish<kRows, kVectors>(tile.to, row_lanes(tile.columns, kVectors - 1), sums);
}

using Product = void (*)(const ProductTile&);

template <int kVectors, int... kRows>
constexpr auto products(std::integer_sequence<int, kRows...>) {
  return std::array<Product, sizeof...(kRows)>{product_of<kRows + 1, kVectors>...};
}
template <int kVectors>
constexpr auto kProducts =
    products<kVectors>(std::make_integer_sequence<int, kMaxRows[kVectors]>{});

}  // namespace

void product_bf16(const ProductTile& tile) {
  assert(tile.rows >= 1 && tile.rows <= kMaxRows[tile.vectors]);
  const auto index = static_cast<std::size_t>(tile.rows - 1);
  switch (tile.vectors) {
    case 1:
      return kProducts<1>[index](tile);
    case 2:
      return kProducts<2>[index](tile);
    case 3:
      return kProducts<3>[index](tile);
    default:
      return kProducts<4>[index](tile);
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
