#pragma once

#include "sluice/nodes/infer/native/kernels/simd/kernels.h"
#include "sluice/nodes/infer/native/kernels/simd/math.h"

#include <limits>

// What the tiles of products and of depthwise convolutions have in common: their end.
namespace sluice::kernels::SLUICE_SIMD {

// The range that an activation clamps to, for those that are nothing but a clamp.
struct Range {
  bool is_clamp = true;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};

inline Range range_of(const Activation& activation) {
  Range range;
  if (activation.kind == ActivationKind::kRelu) {
    range.low = 0.0f;
  } else if (activation.kind == ActivationKind::kClip) {
    range.low = activation.alpha, range.high = activation.beta;
  } else {
    range.is_clamp = activation.kind == ActivationKind::kNone;
  }
  range.is_clamp = range.is_clamp && !activation.is_scaled();
  return range;
}

// Some vectors of a row of kVectors, of which the last may be partly there. An image's are floats,
// or bf16.
template <int kVectors, class T>
SLUICE_INLINE Vec load_part(const T* row, int v, Mask last) {
  return v + 1 < kVectors ? load(row + v * kLanes) : load(row + v * kLanes, last);
}
template <int kVectors, class T>
SLUICE_INLINE void store_part(T* row, int v, Mask last, Vec x) {
  if (v + 1 < kVectors) {
    store(row + v * kLanes, x);
  } else {
    store(row + v * kLanes, last, x);
  }
}
template <int kVectors>
SLUICE_INLINE Vec residual_part(const TileOutput& to, int r, int v, Mask last) {
  if constexpr (kHasBf16) {
    if (to.residual.is_bf16()) {
      const auto* row = reinterpret_cast<const Bf16*>(to.residual.data) + r * to.residual.step;
      return load_part<kVectors>(row, v, last);
    }
  }
  return load_part<kVectors>(to.residual.floats() + r * to.residual.step, v, last);
}
template <int kVectors>
SLUICE_INLINE void output_part(const TileOutput& to, int r, int v, Mask last, Vec x) {
  if constexpr (kHasBf16) {
    if (to.output.is_bf16()) {
      auto* row = reinterpret_cast<Bf16*>(to.output.data) + r * to.output.step;
      return store_part<kVectors>(row, v, last, x);
    }
  }
  store_part<kVectors>(to.output.floats() + r * to.output.step, v, last, x);
}

// Activations that need registers of their own work on a copy in L1, [rows][kVectors * kLanes].
template <int kVectors>
SLUICE_TARGET void finish_copy(const TileOutput& to, int rows, Mask last, float* values) {
  const std::int64_t count = static_cast<std::int64_t>(rows) * kVectors * kLanes;
  activate(to.epilogue->activation, count, values);
  if (to.residual) {
    for (int r = 0; r < rows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        float* value = values + (r * kVectors + v) * kLanes;
        store(value, add(load(value), residual_part<kVectors>(to, r, v, last)));
      }
    }
    activate(to.epilogue->after, count, values);
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      output_part<kVectors>(to, r, v, last, load(values + (r * kVectors + v) * kLanes));
    }
  }
}

// Applies the epilogue to sums that hold the bias already, and stores them.
template <int kRows, int kVectors>
SLUICE_INLINE void finish(const TileOutput& to, Mask last, const Vec (&sums)[kRows][kVectors]) {
  const Range range = range_of(to.epilogue->activation);
  const Range after = range_of(to.epilogue->after);
  if (range.is_clamp && (!to.residual || after.is_clamp)) {
    const Vec low = all(range.low), high = all(range.high);
    const Vec low2 = all(after.low), high2 = all(after.high);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        Vec x = clamp(sums[r][v], low, high);
        if (to.residual) {
          x = clamp(add(x, residual_part<kVectors>(to, r, v, last)), low2, high2);
        }
        output_part<kVectors>(to, r, v, last, x);
      }
    }
    return;
  }
  alignas(64) float values[kRows * kVectors * kLanes];
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) store(values + (r * kVectors + v) * kLanes, sums[r][v]);
  }
  finish_copy<kVectors>(to, kRows, last, values);
}

}  // namespace sluice::kernels::SLUICE_SIMD
