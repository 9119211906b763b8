#include "sluice/nodes/infer/native/kernels/tile.h"

#include "sluice/nodes/infer/native/kernels/vector_math.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace sluice::kernels {

std::int64_t packed_rows_size(std::int64_t rows, std::int64_t depth) {
  return (rows + kTileRows - 1) / kTileRows * kTileRows * depth;
}

void pack_rows(const PackRows& pack, float* packed) {
  for (std::int64_t row = 0; row < pack.rows; row += kTileRows) {
    const std::int64_t present = std::min<std::int64_t>(kTileRows, pack.rows - row);
    for (std::int64_t k = 0; k < pack.depth; ++k) {
      const float* source = pack.source + row * pack.row_step + k * pack.depth_step;
      for (std::int64_t r = 0; r < kTileRows; ++r)
        *packed++ = r < present ? source[r * pack.row_step] : 0.0f;
    }
  }
}

ClampRange clamp_range(const Activation& activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (activation.is_scaled()) return {false, 0.0f, 0.0f};
  switch (activation.kind) {
    case ActivationKind::kNone:
      return {true, -kInfinity, kInfinity};
    case ActivationKind::kRelu:
      return {true, 0.0f, kInfinity};
    case ActivationKind::kClip:
      return {true, activation.alpha, activation.beta};
    default:
      return {false, 0.0f, 0.0f};
  }
}

#if SLUICE_HAVE_AVX2
namespace {

using avx2::lane_mask;

template <ActivationKind kKind>
SLUICE_AVX2 void activate_all(const Activation& activation, int vectors, float* values) {
  const __m256 alpha = _mm256_set1_ps(activation.alpha);
  const __m256 beta = _mm256_set1_ps(activation.beta);
  const __m256 scale = _mm256_set1_ps(activation.scale);
  const __m256 shift = _mm256_set1_ps(activation.shift);
  int i = 0;
  for (; i + 2 <= vectors; i += 2) {  // two at a time hide the latency of the division
    const __m256 x0 = _mm256_load_ps(values + 8 * i);
    const __m256 x1 = _mm256_load_ps(values + 8 * i + 8);
    const __m256 y0 = avx2::activate<kKind>(x0, alpha, beta);
    const __m256 y1 = avx2::activate<kKind>(x1, alpha, beta);
    _mm256_store_ps(values + 8 * i, _mm256_fmadd_ps(y0, scale, shift));
    _mm256_store_ps(values + 8 * i + 8, _mm256_fmadd_ps(y1, scale, shift));
  }
  for (; i < vectors; ++i) {
    const __m256 x = _mm256_load_ps(values + 8 * i);
    const __m256 y = avx2::activate<kKind>(x, alpha, beta);
    _mm256_store_ps(values + 8 * i, _mm256_fmadd_ps(y, scale, shift));
  }
}

}  // namespace

void activate_avx2(const Activation& activation, int vectors, float* values) {
  switch (activation.kind) {
    case ActivationKind::kNone:
      if (!activation.is_scaled()) return;
      return activate_all<ActivationKind::kNone>(activation, vectors, values);
    case ActivationKind::kRelu:
      return activate_all<ActivationKind::kRelu>(activation, vectors, values);
    case ActivationKind::kClip:
      return activate_all<ActivationKind::kClip>(activation, vectors, values);
    case ActivationKind::kLeakyRelu:
      return activate_all<ActivationKind::kLeakyRelu>(activation, vectors, values);
    case ActivationKind::kSigmoid:
      return activate_all<ActivationKind::kSigmoid>(activation, vectors, values);
    case ActivationKind::kSilu:
      return activate_all<ActivationKind::kSilu>(activation, vectors, values);
    case ActivationKind::kHardSigmoid:
      return activate_all<ActivationKind::kHardSigmoid>(activation, vectors, values);
    case ActivationKind::kHardSwish:
      return activate_all<ActivationKind::kHardSwish>(activation, vectors, values);
    case ActivationKind::kGelu:
      return activate_all<ActivationKind::kGelu>(activation, vectors, values);
    case ActivationKind::kTanh:
      return activate_all<ActivationKind::kTanh>(activation, vectors, values);
  }
}

namespace {

template <int kVectors>
SLUICE_AVX2_INLINE __m256 load_c(const float* c, int vector, __m256i last) {
  return vector + 1 < kVectors ? _mm256_loadu_ps(c + 8 * vector)
                               : _mm256_maskload_ps(c + 8 * vector, last);
}

template <int kVectors>
SLUICE_AVX2_INLINE void store_c(float* c, int vector, __m256i last, bool whole, __m256 value) {
  if (vector + 1 < kVectors || whole) {
    _mm256_storeu_ps(c + 8 * vector, value);
  } else {
    _mm256_maskstore_ps(c + 8 * vector, last, value);
  }
}

template <int kRows, int kVectors, bool kOffsets>
SLUICE_AVX2 void run(const Tile& tile) {
  __m256 acc[kRows][kVectors];
  const __m256i last = lane_mask(tile.columns - 8 * (kVectors - 1));
  const bool whole = tile.columns == 8 * kVectors;
  if (tile.accumulate) {
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        acc[r][v] = load_c<kVectors>(tile.c + r * tile.c_step, v, last);
    }
  } else {
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] =
            tile.row_bias != nullptr ? _mm256_broadcast_ss(tile.row_bias + r) : _mm256_setzero_ps();
        if (tile.column_bias != nullptr) {
          acc[r][v] = _mm256_add_ps(acc[r][v], _mm256_loadu_ps(tile.column_bias + 8 * v));
        }
      }
    }
  }

  const float* a = tile.a;
  const float* b = tile.b;
  const std::int64_t depth = tile.depth;
  const std::int64_t b_step = tile.b_step;
  const std::int32_t* offsets = tile.b_offsets;
#pragma GCC unroll 4
  for (std::int64_t k = 0; k < depth; ++k) {
    const float* row = kOffsets ? tile.b + offsets[k] : b;
    __m256 values[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) values[v] = _mm256_loadu_ps(row + 8 * v);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const __m256 weight = _mm256_broadcast_ss(a + r);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) acc[r][v] = _mm256_fmadd_ps(weight, values[v], acc[r][v]);
    }
    a += kTileRows;
    if (!kOffsets) b += b_step;
  }

  if (!tile.finish) {
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        store_c<kVectors>(tile.c + r * tile.c_step, v, last, whole, acc[r][v]);
    }
    return;
  }

  const ClampRange first = clamp_range(tile.epilogue->activation);
  const ClampRange after =
      tile.residual != nullptr ? clamp_range(tile.epilogue->after) : ClampRange{true, 0, 0};
  if (first.is_clamp && after.is_clamp) {
    const __m256 low = _mm256_set1_ps(first.low), high = _mm256_set1_ps(first.high);
    const __m256 low2 = _mm256_set1_ps(after.low), high2 = _mm256_set1_ps(after.high);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        __m256 value = avx2::clamp(acc[r][v], low, high);
        if (tile.residual != nullptr) {
          value = _mm256_add_ps(value,
                                load_c<kVectors>(tile.residual + r * tile.residual_step, v, last));
          value = avx2::clamp(value, low2, high2);
        }
        store_c<kVectors>(tile.c + r * tile.c_step, v, last, whole, value);
      }
    }
    return;
  }

  // Activations that need registers of their own work on a copy in L1.
  alignas(32) float values[kRows * kVectors * 8];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) _mm256_store_ps(values + 8 * (r * kVectors + v), acc[r][v]);
  }
  activate_avx2(tile.epilogue->activation, kRows * kVectors, values);
  if (tile.residual != nullptr) {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        float* value = values + 8 * (r * kVectors + v);
        _mm256_store_ps(value, _mm256_add_ps(_mm256_load_ps(value),
                                             load_c<kVectors>(
                                                 tile.residual + r * tile.residual_step, v, last)));
      }
    }
    activate_avx2(tile.epilogue->after, kRows * kVectors, values);
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      store_c<kVectors>(tile.c + r * tile.c_step, v, last, whole,
                        _mm256_load_ps(values + 8 * (r * kVectors + v)));
    }
  }
}

template <int kVectors, bool kOffsets>
void run_rows(const Tile& tile) {
  switch (tile.rows) {
    case 1:
      return run<1, kVectors, kOffsets>(tile);
    case 2:
      return run<2, kVectors, kOffsets>(tile);
    case 3:
      return run<3, kVectors, kOffsets>(tile);
    case 4:
      return run<4, kVectors, kOffsets>(tile);
    case 5:
      return run<5, kVectors, kOffsets>(tile);
    default:
      return run<6, kVectors, kOffsets>(tile);
  }
}

}  // namespace

void run_tile_avx2(const Tile& tile) {
  assert(tile.rows >= 1 && tile.rows <= kTileRows && tile.columns >= 1 &&
         tile.columns <= kTileColumns);
  const bool narrow = tile.columns <= 8;
  if (tile.b_offsets != nullptr) return narrow ? run_rows<1, true>(tile) : run_rows<2, true>(tile);
  return narrow ? run_rows<1, false>(tile) : run_rows<2, false>(tile);
}
#else
void run_tile_avx2(const Tile&) { assert(false); }
void activate_avx2(const Activation&, int, float*) { assert(false); }
#endif

}  // namespace sluice::kernels
