#pragma once

#include "sluice/runtime/cuda/kernels/function.cuh"
#include "sluice/runtime/cuda/kernels/window.cuh"

// What the kernels for convolutions share.
namespace sluice::cuda {

struct Conv {
  Places places;  // of the result
  Image x, weights, residual, out;
  Window window;
  const void* bias;  // null: none
  std::int64_t bias_stride;
  std::int32_t bias_type;
  std::int64_t group_inputs, group_outputs;  // channels a group
  std::int32_t has_residual;
  sluice_cuda_activation activation, after;
};

__device__ __forceinline__ float bias_of(const Conv& conv, std::int64_t channel) {
  return conv.bias ? load_float(conv.bias_type, conv.bias, channel * conv.bias_stride) : 0.0f;
}

__device__ __forceinline__ void finish(const Conv& conv, std::int64_t image, std::int64_t channel,
                                       const std::int64_t (&place)[kAxes], float sum) {
  sum = activate(conv.activation, sum);
  if (conv.has_residual)
    sum += load_float(conv.residual.type, conv.residual.data,
                      conv.residual.offset(image, channel, place));
  sum = activate(conv.after, sum);
  store_float(conv.out.type, conv.out.data, conv.out.offset(image, channel, place), sum);
}

// Calls `f` with a number of the type. REQUIRES: is_small_float(type).
template <class F>
Outcome with_float(int type, F f) {
  if (type == SLUICE_CUDA_F32) return f(float{});
  if (type == SLUICE_CUDA_F16) return f(Half{});
  return f(BFloat{});
}

// A filter for each channel, 3 x 3 or 5 x 5, of images whose channels lie together by eights.
bool is_depthwise(const Conv& conv);
// Whether the addresses allow it, too.
bool has_packs(const Conv& conv);
Outcome run_depthwise(const Conv& conv, CUstream_st* stream);

}  // namespace sluice::cuda
