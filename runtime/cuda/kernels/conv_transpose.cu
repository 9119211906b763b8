#include "sluice/runtime/cuda/kernels/conv.cuh"
#include "sluice/runtime/cuda/kernels/families.h"

namespace sluice::cuda {
namespace {

// Along one axis: the place of the input that tap `tap` takes to `place` of the result; -1: none.
__device__ __forceinline__ std::int64_t source_of(const Conv& conv, int axis, std::int64_t place,
                                                  std::int64_t tap) {
  const Window& w = conv.window;
  const std::int64_t from = place + w.pad[axis] - tap * w.dilation[axis];
  if (from < 0) return -1;
  const std::int64_t index = from / w.stride[axis];
  return index * w.stride[axis] == from && index < conv.x.dims[axis] ? index : -1;
}

// One thread an element of the result, which gathers what the input scatters.
template <class T>
__global__ void conv_transposed(const __grid_constant__ Conv conv) {
  const T* const x = static_cast<const T*>(conv.x.data);
  const T* const weights = static_cast<const T*>(conv.weights.data);
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
       i < conv.places.space.count; i += step) {
    std::int64_t image, channel, place[kAxes];
    conv.places.split(i, image, channel, place);
    const std::int64_t group = channel / conv.group_outputs;
    const std::int64_t first = group * conv.group_inputs;
    const T* const image_x = x + image * conv.x.n + first * conv.x.c;
    const T* const filter =
        weights + first * conv.weights.n + (channel - group * conv.group_outputs) * conv.weights.c;
    float sum = bias_of(conv, channel);
    for (std::int64_t a = 0; a < conv.window.kernel[0]; ++a) {
      const std::int64_t from_a = source_of(conv, 0, place[0], a);
      if (from_a < 0) continue;
      for (std::int64_t b = 0; b < conv.window.kernel[1]; ++b) {
        const std::int64_t from_b = source_of(conv, 1, place[1], b);
        if (from_b < 0) continue;
        for (std::int64_t c = 0; c < conv.window.kernel[2]; ++c) {
          const std::int64_t from_c = source_of(conv, 2, place[2], c);
          if (from_c < 0) continue;
          const T* from = image_x + from_a * conv.x.strides[0] + from_b * conv.x.strides[1] +
                          from_c * conv.x.strides[2];
          const T* factor = filter + a * conv.weights.strides[0] + b * conv.weights.strides[1] +
                            c * conv.weights.strides[2];
          for (std::int64_t k = 0; k < conv.group_inputs;
               ++k, from += conv.x.c, factor += conv.weights.n)
            sum += to_float(*from) * to_float(*factor);
        }
      }
    }
    finish(conv, image, channel, place, sum);
  }
}

const char* why_not(const sluice_cuda_op& op) {
  const auto& conv = op.as.conv;
  if (op.inputs != (conv.has_bias ? 3 : 2)) return "a convolution with another number of operands";
  if (!has_images(op.in[0], conv.window) || !has_images(op.in[1], conv.window) ||
      !has_images(op.out[0], conv.window))
    return "a convolution of other than one to three spatial axes";
  if (!is_small_float(op.in[0].type) || op.in[1].type != op.in[0].type)
    return "a convolution of other than f32, f16 and bf16, or of two types";
  if (!is_small_float(op.out[0].type)) return "a convolution into other than f32, f16 and bf16";
  if (conv.has_bias && !is_small_float(op.in[2].type)) return "a bias other than f32, f16 and bf16";
  if (has_rare(conv.activation)) return "an activation that convolutions do not have";
  return conv.group < 1 ? "no group" : nullptr;
}

}  // namespace

Made make_conv_transpose(const sluice_cuda_op& op) {
  if (const char* const reason = why_not(op)) return no_kernel(reason);
  const auto& settings = op.as.conv;
  Conv conv{};
  conv.x = Image(op.in[0]);
  conv.weights = Image(op.in[1]);
  conv.out = Image(op.out[0]);
  conv.window = Window(settings.window);
  for (int axis = 0; axis < kAxes; ++axis) conv.window.kernel[axis] = conv.weights.dims[axis];
  conv.bias_stride = settings.has_bias ? op.in[2].strides[0] : 0;
  conv.bias_type = settings.has_bias ? op.in[2].type : SLUICE_CUDA_F32;
  conv.group_inputs = op.in[0].dims[1] / settings.group;
  conv.group_outputs = op.in[1].dims[1];
  conv.activation = settings.activation;
  conv.after.function = -1;
  conv.places = Places(op.out[0], conv.out);
  return made("kernel conv transpose",
              [conv, x = op.in[0], weights = op.in[1], bias = op.in[2], out = op.out[0],
               has_bias = settings.has_bias](CUstream_st* stream, const void* const* inputs,
                                             void* const* outputs) mutable {
                conv.x.data = at(inputs[0], x);
                conv.weights.data = at(inputs[1], weights);
                conv.bias = has_bias ? at(inputs[2], bias) : nullptr;
                conv.out.data = at(outputs[0], out);
                return with_float(conv.x.type, [&](auto element) {
                  return launch(conv_transposed<decltype(element)>, Threads::kAlone,
                                grid_for(conv.places.space.count), stream, conv);
                });
              });
}

}  // namespace sluice::cuda
