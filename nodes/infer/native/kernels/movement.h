#pragma once

#include "sluice/nodes/infer/native/kernels/types.h"

#include <cstddef>
#include <cstdint>
#include <span>

// Kernels that move elements without looking at them. `element_bytes` is 1, 2, 4 or 8. Outputs
// overlap no input.
namespace sluice::kernels {

// output axis i is input axis permutation[i].
void transpose(std::size_t element_bytes, Dims dims, std::span<const std::int64_t> permutation,
               const void* input, void* output);

// One part of a concatenation: [outer, extent, inner], with outer and inner those of the whole.
struct ConcatPart {
  const void* data = nullptr;
  std::int64_t extent = 0;
};
void concat(std::size_t element_bytes, std::int64_t outer, std::int64_t inner,
            std::span<const ConcatPart> parts, void* output);

// One output of a split along the middle axis of [outer, axis, inner].
struct SplitPart {
  void* data = nullptr;
  std::int64_t extent = 0;
};
// REQUIRES: the extents add up to the axis.
void split(std::size_t element_bytes, std::int64_t outer, std::int64_t inner, const void* input,
           std::span<const SplitPart> parts);

// One entry per axis of the input: output[i...] = input[start + i * step ...]. The caller has
// resolved negative starts and clamped ends, so `extents` are the output's; steps may be negative,
// never 0.
struct SliceParams {
  Dims dims;                             // of the input
  std::span<const std::int64_t> starts;  // inside 0..dims-1 wherever the extent is positive
  std::span<const std::int64_t> steps;
  std::span<const std::int64_t> extents;
};
void slice(std::size_t element_bytes, const SliceParams& params, const void* input, void* output);

// output[o, i, n] = input[o, indices[i], n], input [outer, axis, inner]; negative indices count
// from the end. Returns false and stops at the first index out of -axis..axis-1. I: std::int32_t,
// std::int64_t.
template <class I>
[[nodiscard]] bool gather(std::size_t element_bytes, std::int64_t outer, std::int64_t axis,
                          std::int64_t inner, std::span<const I> indices, const void* input,
                          void* output);

// Repeats extents of 1; shapes are aligned at the last axis, `out_dims` is the broadcast shape.
void expand(std::size_t element_bytes, Dims dims, Dims out_dims, const void* input, void* output);

// numpy.tile; one repeat per axis.
void tile(std::size_t element_bytes, Dims dims, std::span<const std::int64_t> repeats,
          const void* input, void* output);

enum class PadMode : std::uint8_t { kConstant, kReflect, kEdge, kWrap };
// `before` and `after`: elements added (or, when negative, cut) per axis. Reflect REQUIRES pads <
// extent.
struct PadParams {
  Dims dims;
  std::span<const std::int64_t> before, after;
  PadMode mode = PadMode::kConstant;
  const void* value = nullptr;  // one element for kConstant; null is zero bytes
};
void pad(std::size_t element_bytes, const PadParams& params, const void* input, void* output);

// Sets `count` elements to `*value`.
void fill(std::size_t element_bytes, std::int64_t count, const void* value, void* output);

// [batch, channels, height, width]; the modes are ONNX's "DCR" (depth-column-row) and "CRD".
enum class DepthToSpaceMode : std::uint8_t { kDcr, kCrd };
void depth_to_space(std::size_t element_bytes, Dims dims, std::int64_t block, DepthToSpaceMode mode,
                    const void* input, void* output);
void space_to_depth(std::size_t element_bytes, Dims dims, std::int64_t block, const void* input,
                    void* output);

}  // namespace sluice::kernels
