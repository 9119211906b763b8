#pragma once

#include "sluice/nodes/infer/native/kernels/types.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice::kernels {

// What is done to a convolution's sums before they are stored:
//   v = activation(sum + bias);  v = after(v + residual)   (the second step only with a residual)
struct Epilogue {
  Activation activation = {};
  Activation after = {};
};

// A 2-D convolution over NCHW; a 1-D one is the same with height 1. Extents in pixels.
struct ConvParams {
  std::int64_t out_channels = 0;  // a multiple of groups
  std::int64_t in_channels = 0;   // a multiple of groups
  std::int64_t groups = 1;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;  // >= 0

  std::int64_t out_height(std::int64_t height) const {
    return (height + pad_top + pad_bottom - dilation_h * (kernel_h - 1) - 1) / stride_h + 1;
  }
  std::int64_t out_width(std::int64_t width) const {
    return (width + pad_left + pad_right - dilation_w * (kernel_w - 1) - 1) / stride_w + 1;
  }
};

// One call: input [batch, in_channels, height, width] -> output [batch, out_channels,
// out_height(height), out_width(width)].
struct ConvCall {
  const float* input = nullptr;
  std::int64_t batch = 1, height = 0, width = 0;
  const float* residual = nullptr;  // shaped as the output; null for none; may be the output itself
  float* output = nullptr;          // must not overlap the input
  std::byte* scratch = nullptr;     // scratch_bytes(height, width), any contents
};

// A convolution with its algorithm chosen and its weights laid out for it. Built once, shared by
// sessions. Owns: the packed weights and the bias. Threads: immutable, thread-safe.
class PackedConv {
 public:
  // `weights`: [out_channels, in_channels / groups, kernel_h, kernel_w]; `bias`: [out_channels] or
  // null. Both are copied. REQUIRES: params describe a convolution with at least one weight.
  PackedConv(const ConvParams& params, const float* weights, const float* bias,
             const Epilogue& epilogue = {});
  ~PackedConv();
  PackedConv(PackedConv&&) noexcept;
  PackedConv& operator=(PackedConv&&) noexcept;

  const ConvParams& params() const;
  const Epilogue& epilogue() const;
  // Scratch for one call, independent of the batch. Never more than a few MB.
  std::size_t scratch_bytes(std::int64_t height, std::int64_t width) const;
  // REQUIRES: out_height(height) and out_width(width) are positive.
  void run(const ConvCall& call) const;
  // "gemm avx2", "depthwise avx2", "portable": for `plan` and for profiles.
  const char* algorithm() const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

// A transposed 2-D convolution over NCHW. Weights: [in_channels, out_channels / groups, kernel_h,
// kernel_w].
struct ConvTransposeParams {
  std::int64_t out_channels = 0;
  std::int64_t in_channels = 0;
  std::int64_t groups = 1;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  std::int64_t output_pad_h = 0, output_pad_w = 0;

  std::int64_t out_height(std::int64_t height) const {
    return (height - 1) * stride_h + dilation_h * (kernel_h - 1) + 1 + output_pad_h - pad_top -
           pad_bottom;
  }
  std::int64_t out_width(std::int64_t width) const {
    return (width - 1) * stride_w + dilation_w * (kernel_w - 1) + 1 + output_pad_w - pad_left -
           pad_right;
  }
};

// Owns: the packed weights and the bias. Threads: immutable, thread-safe. The residual of a call
// must be null.
class PackedConvTranspose {
 public:
  PackedConvTranspose(const ConvTransposeParams& params, const float* weights, const float* bias,
                      const Activation& activation = {});
  ~PackedConvTranspose();
  PackedConvTranspose(PackedConvTranspose&&) noexcept;
  PackedConvTranspose& operator=(PackedConvTranspose&&) noexcept;

  const ConvTransposeParams& params() const;
  std::size_t scratch_bytes(std::int64_t height, std::int64_t width) const;
  void run(const ConvCall& call) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace sluice::kernels
