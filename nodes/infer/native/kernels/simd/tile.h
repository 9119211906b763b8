#pragma once

#include "sluice/nodes/infer/native/kernels/simd/kernels.h"
#include "sluice/nodes/infer/native/kernels/simd/math.h"

#include <limits>
#include <type_traits>

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
template <class T, int kVectors>
SLUICE_TARGET void add_residual(const InputPixels& residual, int rows, Mask last, float* values) {
  for (int r = 0; r < rows; ++r) {
    const auto* row = reinterpret_cast<const T*>(residual.data) + r * residual.step;
    for (int v = 0; v < kVectors; ++v, values += kLanes) {
      store(values, add(load(values), load_part<kVectors>(row, v, last)));
    }
  }
}

template <class T, int kVectors>
SLUICE_TARGET void store_rows(const float* values, int rows, Mask last,
                              const OutputPixels& output) {
  for (int r = 0; r < rows; ++r) {
    auto* row = reinterpret_cast<T*>(output.data) + r * output.step;
    for (int v = 0; v < kVectors; ++v, values += kLanes) {
      store_part<kVectors>(row, v, last, load(values));
    }
  }
}

// The type that pixels in bf16 are read and written by; floats where there are none.
using Narrow = std::conditional_t<kHasBf16, Bf16, float>;

// Activations that need registers of their own, and mixed precisions, work on a copy in L1, [rows][
// kVectors * kLanes].
template <int kVectors>
SLUICE_TARGET void finish_copy(const TileOutput& to, int rows, Mask last, float* values) {
  const std::int64_t count = static_cast<std::int64_t>(rows) * kVectors * kLanes;
  activate(to.epilogue->activation, count, values);
  if (to.residual) {
    const auto add_rows =
        to.residual.is_bf16() ? add_residual<Narrow, kVectors> : add_residual<float, kVectors>;
    add_rows(to.residual, rows, last, values);
    activate(to.epilogue->after, count, values);
  }
  const auto store_all =
      to.output.is_bf16() ? store_rows<Narrow, kVectors> : store_rows<float, kVectors>;
  store_all(values, rows, last, to.output);
}

// Applies the epilogue to sums that hold the bias already, and stores them. `T`: what the elements
// of the output and the residual are most often; others take a longer way.
template <class T, int kRows, int kVectors>
SLUICE_INLINE void finish(const TileOutput& to, Mask last, const Vec (&sums)[kRows][kVectors]) {
  constexpr bool kIsBf16 = !std::is_same_v<T, float>;
  const Range range = range_of(to.epilogue->activation);
  const Range after = range_of(to.epilogue->after);
  const bool is_usual = to.output.is_bf16() == kIsBf16 &&
                        (!to.residual || (after.is_clamp && to.residual.is_bf16() == kIsBf16));
  if (range.is_clamp && is_usual) {
    const Vec low = all(range.low), high = all(range.high);
    const Vec low2 = all(after.low), high2 = all(after.high);
    auto* output = reinterpret_cast<T*>(to.output.data);
    const auto* residual = reinterpret_cast<const T*>(to.residual.data);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        Vec x = clamp(sums[r][v], low, high);
        if (residual != nullptr) {
          x = add(x, load_part<kVectors>(residual + r * to.residual.step, v, last));
          x = clamp(x, low2, high2);
        }
        store_part<kVectors>(output + r * to.output.step, v, last, x);
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
