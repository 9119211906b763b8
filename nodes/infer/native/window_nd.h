#pragma once

#include "sluice/nodes/infer/graph/resolve.h"

#include <cstdint>
#include <span>

// Sliding windows over any number of spatial axes, written for clearness: what the fast kernels,
// which take one or two axes, leave over.
namespace sluice::native {

struct ConvShape {
  std::int64_t batch = 1;
  std::int64_t in_channels = 1;
  std::int64_t out_channels = 1;
  std::int64_t groups = 1;
  std::span<const graph::WindowAxis> axes;
};

// `bias` may be null. Weights: [out_channels, in_channels / groups, kernel...].
void conv_nd(const ConvShape& shape, const float* input, const float* weights, const float* bias,
             float* output);
// Weights: [in_channels, out_channels / groups, kernel...].
void conv_transpose_nd(const ConvShape& shape, const float* input, const float* weights,
                       const float* bias, float* output);

// Over [planes, spatial...]. `indices`, which may be null, as kernels::max_pool gives them.
void max_pool_nd(std::int64_t planes, std::span<const graph::WindowAxis> axes, const float* input,
                 float* output, std::int64_t* indices);

enum class AverageOver : std::uint8_t { kInput, kPaddedInput };
void average_pool_nd(std::int64_t planes, std::span<const graph::WindowAxis> axes,
                     AverageOver divisor, const float* input, float* output);

}  // namespace sluice::native
