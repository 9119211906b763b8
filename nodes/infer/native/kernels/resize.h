#pragma once

#include "sluice/nodes/infer/native/kernels/types.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::kernels {

enum class ResizeMode : std::uint8_t { kNearest, kLinear, kCubic };
// ONNX coordinate_transformation_mode.
enum class ResizeCoordinates : std::uint8_t {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kTfHalfPixelForNearest,
  kTfCropAndResize,
};
enum class ResizeRounding : std::uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };

// ONNX Resize (10, 11, 13) and Upsample over any axes of up to kMaxRank.
struct ResizeParams {
  Dims dims = {}, out_dims = {};  // same rank
  // One per axis: out / in as the model gave it, or as computed from the sizes.
  std::span<const float> scales = {};
  ResizeMode mode = ResizeMode::kNearest;
  ResizeCoordinates coordinates = ResizeCoordinates::kHalfPixel;
  ResizeRounding rounding = ResizeRounding::kRoundPreferFloor;
  float cubic_a = -0.75f;
  // kCubic and kLinear: leave samples outside the input out and renormalise (exclude_outside).
  bool exclude_outside = false;
  std::span<const float> roi = {};  // kTfCropAndResize: starts, then ends, per axis
  float extrapolation = 0.0f;       // kTfCropAndResize: value outside the input
};

// What each output index of one axis is made of: `count` elements of the input, their places and
// weights, one index after the other. Count 0: the axis stays as it is. A place of -1 stands for
// the value outside of the input.
struct AxisTaps {
  int count = 0;
  std::vector<std::int32_t> places;
  std::vector<float> weights;
};
AxisTaps axis_taps(const ResizeParams& params, std::size_t axis);

// Bytes of scratch for `resize` with these parameters.
std::size_t resize_scratch_bytes(const ResizeParams& params);
void resize(const ResizeParams& params, const float* input, float* output, std::byte* scratch);

}  // namespace sluice::kernels
