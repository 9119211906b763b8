#include "sluice/runtime/cuda/kernels/conv.cuh"
#include "sluice/runtime/cuda/kernels/families.h"

#include <array>

namespace sluice::cuda {
namespace {

// One thread an element of the result. T is the type of the input and of the weights.
template <class T>
__global__ void conv_direct(const __grid_constant__ Conv conv) {
  const T* const x = static_cast<const T*>(conv.x.data);
  const T* const weights = static_cast<const T*>(conv.weights.data);
  const Window& window = conv.window;
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
       i < conv.places.space.count; i += step) {
    std::int64_t image, channel, place[kAxes];
    conv.places.split(i, image, channel, place);
    const std::int64_t from_channel = channel / conv.group_outputs * conv.group_inputs;
    const T* const image_x = x + image * conv.x.n + from_channel * conv.x.c;
    const T* const filter = weights + channel * conv.weights.n;
    float sum = bias_of(conv, channel);
    const Range d = inside(window, conv.x, 0, place[0]);
    const Range h = inside(window, conv.x, 1, place[1]);
    const Range w = inside(window, conv.x, 2, place[2]);
    for (std::int64_t a = d.begin; a < d.end; ++a) {
      for (std::int64_t b = h.begin; b < h.end; ++b) {
        for (std::int64_t c = w.begin; c < w.end; ++c) {
          const T* from = image_x + (d.origin + a * window.dilation[0]) * conv.x.strides[0] +
                          (h.origin + b * window.dilation[1]) * conv.x.strides[1] +
                          (w.origin + c * window.dilation[2]) * conv.x.strides[2];
          const T* factor = filter + a * conv.weights.strides[0] + b * conv.weights.strides[1] +
                            c * conv.weights.strides[2];
          for (std::int64_t k = 0; k < conv.group_inputs;
               ++k, from += conv.x.c, factor += conv.weights.c)
            sum += to_float(*from) * to_float(*factor);
        }
      }
    }
    finish(conv, image, channel, place, sum);
  }
}

const char* why_not(const sluice_cuda_op& op) {
  const auto& conv = op.as.conv;
  if (op.inputs != 2 + (conv.has_bias ? 1 : 0) + (conv.has_residual ? 1 : 0))
    return "a convolution with another number of operands";
  if (!has_images(op.in[0], conv.window) || !has_images(op.in[1], conv.window) ||
      !has_images(op.out[0], conv.window))
    return "a convolution of other than one to three spatial axes";
  if (!is_small_float(op.in[0].type) || op.in[1].type != op.in[0].type)
    return "a convolution of other than f32, f16 and bf16, or of two types";
  if (!is_small_float(op.out[0].type)) return "a convolution into other than f32, f16 and bf16";
  if (conv.has_bias && !is_small_float(op.in[2].type)) return "a bias other than f32, f16 and bf16";
  if (has_rare(conv.activation) || has_rare(conv.after))
    return "an activation that convolutions do not have";
  if (conv.has_residual && !is_small_float(op.in[op.inputs - 1].type))
    return "a residual of other than f32, f16 and bf16";
  if (conv.group < 1) return "no group";
  return nullptr;
}

Conv describe(const sluice_cuda_op& op) {
  const auto& settings = op.as.conv;
  Conv conv{};
  conv.x = Image(op.in[0]);
  conv.weights = Image(op.in[1]);
  conv.out = Image(op.out[0]);
  conv.window = Window(settings.window);
  for (int axis = 0; axis < kAxes; ++axis) conv.window.kernel[axis] = conv.weights.dims[axis];
  if (settings.has_residual) conv.residual = Image(op.in[op.inputs - 1]);
  conv.has_residual = settings.has_residual;
  conv.bias_stride = settings.has_bias ? op.in[2].strides[0] : 0;
  conv.bias_type = settings.has_bias ? op.in[2].type : SLUICE_CUDA_F32;
  conv.group_inputs = op.in[1].dims[1];
  conv.group_outputs = op.out[0].dims[1] / settings.group;
  conv.activation = settings.activation;
  conv.after = settings.after;
  conv.places = Places(op.out[0], conv.out);
  return conv;
}

// Where the operands lie; the residual comes last.
struct Views {
  sluice_cuda_view in[4], out;
  int inputs, has_bias;
};

void point(Conv& conv, const Views& views, const void* const* inputs, void* const* outputs) {
  conv.x.data = at(inputs[0], views.in[0]);
  conv.weights.data = at(inputs[1], views.in[1]);
  conv.bias = views.has_bias ? at(inputs[2], views.in[2]) : nullptr;
  const int last = views.inputs - 1;
  if (conv.has_residual) conv.residual.data = at(inputs[last], views.in[last]);
  conv.out.data = at(outputs[0], views.out);
}

}  // namespace

Made make_conv(const sluice_cuda_op& op) {
  if (const char* const reason = why_not(op)) return no_kernel(reason);
  Conv conv = describe(op);
  Views views{};
  std::copy(op.in, op.in + op.inputs, views.in);
  views.out = op.out[0];
  views.inputs = op.inputs;
  views.has_bias = op.as.conv.has_bias;
  const bool depthwise = is_depthwise(conv);
  return made(depthwise ? "kernel depthwise" : "kernel conv",
              [conv, views, depthwise](CUstream_st* stream, const void* const* inputs,
                                       void* const* outputs) mutable {
                point(conv, views, inputs, outputs);
                if (depthwise && has_packs(conv)) return run_depthwise(conv, stream);
                return with_float(conv.x.type, [&](auto element) {
                  return launch(conv_direct<decltype(element)>, Threads::kAlone,
                                grid_for(conv.places.space.count), stream, conv);
                });
              });
}

}  // namespace sluice::cuda
