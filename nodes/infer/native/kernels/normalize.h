#pragma once

#include "sluice/nodes/infer/native/kernels/types.h"

#include <cstdint>

namespace sluice::kernels {

// In all of these the output may be the input itself.

// ONNX BatchNormalization at inference over [batch, channels, area]:
// y = (x - mean) / sqrt(variance + epsilon) * scale + shift, all four vectors [channels].
struct BatchNormParams {
  std::int64_t batch = 0, channels = 0, area = 0;
  float epsilon = 1e-5f;
  const float* scale = nullptr;
  const float* shift = nullptr;
  const float* mean = nullptr;
  const float* variance = nullptr;
};
void batch_norm(const BatchNormParams& params, const float* input, float* output);

// ONNX InstanceNormalization: mean and variance of each [area] plane; scale and shift per channel.
struct InstanceNormParams {
  std::int64_t batch = 0, channels = 0, area = 0;
  float epsilon = 1e-5f;
  const float* scale = nullptr;
  const float* shift = nullptr;
};
void instance_norm(const InstanceNormParams& params, const float* input, float* output);

// ONNX LayerNormalization over the last `size` elements of each row; scale and shift are [size],
// null for 1 and 0.
struct LayerNormParams {
  std::int64_t rows = 0, size = 0;
  float epsilon = 1e-5f;
  const float* scale = nullptr;
  const float* shift = nullptr;
};
void layer_norm(const LayerNormParams& params, const float* input, float* output);

// ONNX LRN across channels: y = x / (bias + alpha / size * sum of squares over `size` channels
// around) ^ beta. Here the output must not be the input.
struct LrnParams {
  std::int64_t batch = 0, channels = 0, area = 0;
  std::int64_t size = 1;
  float alpha = 1e-4f, beta = 0.75f, bias = 1.0f;
};
void lrn(const LrnParams& params, const float* input, float* output);

// Over the middle axis of [outer, axis, inner]; subtracts the maximum first.
void softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const float* input,
             float* output);
void log_softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const float* input,
                 float* output);

}  // namespace sluice::kernels
