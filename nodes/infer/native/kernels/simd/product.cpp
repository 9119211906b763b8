#include "sluice/nodes/infer/native/kernels/simd/tile.h"

#include <array>
#include <cassert>
#include <utility>

namespace sluice::kernels::SLUICE_SIMD {
namespace {

// A word of the input, in all lanes, times words of the weights: of floats, or of pairs of bf16.
template <Precision kPrecision, class V>
SLUICE_INLINE V times(V x, V w, V sum) {
#if SLUICE_SIMD_BF16
  if constexpr (kPrecision == Precision::kBf16) return dot(x, w, sum);
#endif
  return fma(x, w, sum);
}

template <Precision kPrecision, int kRows, int kVectors, bool kEndsInHalf>
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
        for (int v = 0; v < kWhole; ++v)
          sums[r][v] = times<kPrecision>(all(value), w[v], sums[r][v]);
        if constexpr (kEndsInHalf)
          halves[r] = times<kPrecision>(half_all(value), last_w, halves[r]);
      }
    }
  }
  if constexpr (kEndsInHalf) {
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) sums[r][kWhole] = widened(halves[r]);
  }
  using Usual = std::conditional_t<kPrecision == Precision::kBf16, Narrow, float>;
  finish<Usual, kRows, kVectors>(tile.to, row_lanes(tile.columns, kVectors - 1), sums);
}

using Product = void (*)(const ProductTile&);

template <Precision kPrecision, int kVectors, bool kEndsInHalf, int... kRows>
constexpr auto products(std::integer_sequence<int, kRows...>) {
  return std::array<Product, sizeof...(kRows)>{
      product_of<kPrecision, kRows + 1, kVectors, kEndsInHalf>...};
}
template <Precision kPrecision, int kVectors, bool kEndsInHalf>
constexpr auto kProducts = products<kPrecision, kVectors, kEndsInHalf>(
    std::make_integer_sequence<int, kMaxRows[kVectors]>{});

template <Precision kPrecision, int kVectors>
void run(const ProductTile& tile) {
  assert(tile.rows >= 1 && tile.rows <= kMaxRows[kVectors]);
  const auto index = static_cast<std::size_t>(tile.rows - 1);
  if (tile.ends_in_half) return kProducts<kPrecision, kVectors, true>[index](tile);
  kProducts<kPrecision, kVectors, false>[index](tile);
}

template <Precision kPrecision>
void run(const ProductTile& tile) {
  switch (tile.vectors) {
    case 1:
      return run<kPrecision, 1>(tile);
    case 2:
      return run<kPrecision, 2>(tile);
    case 3:
      return run<kPrecision, 3>(tile);
    default:
      return run<kPrecision, 4>(tile);
  }
}

}  // namespace

void product(const ProductTile& tile) { run<Precision::kFp32>(tile); }

#if SLUICE_SIMD_BF16
void product_bf16(const ProductTile& tile) { run<Precision::kBf16>(tile); }

SLUICE_TARGET void round_to_bf16(std::int64_t count, const float* from, std::uint16_t* bits) {
  auto* to = reinterpret_cast<Bf16*>(bits);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
  if (i == count) return;
  const Mask mask = row_lanes(count - i, 0);
  store(to + i, mask, load(from + i, mask));
}
#endif

}  // namespace sluice::kernels::SLUICE_SIMD
