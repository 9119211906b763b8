#include "sluice/nodes/infer/native/kernels/simd/tile.h"

#include <array>
#include <cassert>
#include <utility>

namespace sluice::kernels::SLUICE_SIMD {
namespace {

template <int kRows, int kVectors>
SLUICE_TARGET void product_of(const ProductTile& tile) {
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
        for (int v = 0; v < kVectors; ++v) sums[r][v] = fma(x, w[v], sums[r][v]);
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

void product(const ProductTile& tile) {
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

}  // namespace sluice::kernels::SLUICE_SIMD
