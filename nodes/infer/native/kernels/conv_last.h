#pragma once

#include "sluice/nodes/infer/native/kernels/conv.h"
#include "sluice/nodes/infer/native/kernels/simd.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice::kernels {

// One call of a convolution over channels-last images: input [batch, height, width, in_channels] ->
// output [batch, out_height, out_width, out_channels]. What is in bf16 needs kernels that have it.
struct ConvLastCall {
  InputPixels input;             // in bf16 only if the convolution reads_bf16()
  bool input_is_planar = false;  // then it is [batch, in_channels, height, width], and kFp32
  std::int64_t batch = 1, height = 0, width = 0;
  std::int64_t pad_top = 0, pad_left = 0;
  std::int64_t out_height = 0, out_width = 0;
  InputPixels residual;          // none for none
  OutputPixels output;           // may be the residual, must not overlap the input
  std::byte* scratch = nullptr;  // scratch_bytes of this call
};

// A convolution over channels-last images, its weights laid out for one instruction set. The pads
// are the call's, as they may depend on the image. Owns: the weights and the bias. Threads:
// immutable, thread-safe.
class ConvLast {
 public:
  // `weights`: [out_channels, in_channels / groups, kernel_h, kernel_w]; `bias`: [out_channels] or
  // null. Both are copied. The pads of `params` are not used. `precision` is that of the products,
  // where the kernels have it and there are enough channels for it to pay.
  ConvLast(const SimdKernels& simd, Precision precision, const ConvParams& params,
           const float* weights, const float* bias, const Epilogue& epilogue = {});
  ~ConvLast();
  ConvLast(ConvLast&&) noexcept;
  ConvLast& operator=(ConvLast&&) noexcept;

  const ConvParams& params() const;
  // Whether its input may be in bf16, and should be where there is a choice: it is rounded anyway,
  // or every value is read so often that half the bytes pay.
  bool reads_bf16() const;
  // Whether it was made for bf16, with kernels that have it, so that it may write it.
  bool writes_bf16() const;
  // Independent of the batch and of the pointers. At most some hundred kB, or what a few rows of
  // the image need.
  std::size_t scratch_bytes(const ConvLastCall& call) const;
  // REQUIRES: out_height and out_width are positive and what the window and the pads make of the
  // input, or less.
  void run(const ConvLastCall& call) const;
  // "pointwise avx512 bf16", "window avx2": for profiles.
  const char* algorithm() const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace sluice::kernels
