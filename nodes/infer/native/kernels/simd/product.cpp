#include "sluice/nodes/infer/native/kernels/simd/tile.h"

#include <array>
#include <cassert>
#include <utility>

namespace sluice::kernels::SLUICE_SIMD {
namespace {

template <int kRows, int kVectors, bool kEndsInHalf>
SLUICE_TARGET void product_of(const ProductTile& tile) {
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
        for (int v = 0; v < kWhole; ++v) sums[r][v] = fma(all(value), w[v], sums[r][v]);
        if constexpr (kEndsInHalf) halves[r] = fma(half_all(value), last_w, halves[r]);
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

void product(const ProductTile& tile) {
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

}  // namespace sluice::kernels::SLUICE_SIMD
