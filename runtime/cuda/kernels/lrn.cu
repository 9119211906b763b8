#include "sluice/runtime/cuda/kernels/element.cuh"
#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/space.h"

#include <algorithm>

namespace sluice::cuda {
namespace {

struct Lrn {
  Space space;  // as the result lies; `channel_axis` is that of the channels
  std::int32_t channel_axis;
  std::int64_t channels, before, after;
  Operand in, out;
  float factor, beta, bias;
};

__global__ void lrn_elements(const __grid_constant__ Lrn lrn) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t stride = lrn.in.strides[lrn.channel_axis];
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < lrn.space.count;
       i += step) {
    std::int64_t position = i, channel = 0;
    for (int axis = lrn.space.rank - 1; axis >= lrn.channel_axis; --axis)
      channel = axis > 0 ? lrn.space.take(position, axis) : position;
    const std::int64_t own = lrn.space.offset(i, lrn.in.strides);
    const std::int64_t first = channel < lrn.before ? -channel : -lrn.before;
    const std::int64_t rest = lrn.channels - 1 - channel;
    const std::int64_t last = rest < lrn.after ? rest : lrn.after;
    float squares = 0.0f;
    for (std::int64_t k = first; k <= last; ++k) {
      const float x = load_float(lrn.in.type, lrn.in.data, own + k * stride);
      squares += x * x;
    }
    const float x = load_float(lrn.in.type, lrn.in.data, own);
    store_float(lrn.out.type, lrn.out.data, lrn.space.offset(i, lrn.out.strides),
                x / powf(lrn.bias + lrn.factor * squares, lrn.beta));
  }
}

}  // namespace

Made make_lrn(const sluice_cuda_op& op) {
  const sluice_cuda_view &in = op.in[0], &out = op.out[0];
  if (in.rank < 2 || in.rank != out.rank) return no_kernel("a response of images without channels");
  if (!is_small_float(in.type) || !is_small_float(out.type))
    return no_kernel("a response of other than f32, f16 and bf16");
  const auto& settings = op.as.lrn;
  Lrn lrn{};
  // Channels that lie innermost go innermost.
  int axes[kMaxRank];
  int used = 0;
  for (int axis = 0; axis < out.rank; ++axis) axes[used++] = axis;
  std::stable_sort(axes, axes + used,
                   [&](int a, int b) { return out.strides[a] > out.strides[b]; });
  std::int64_t dims[kMaxRank];
  for (int axis = 0; axis < used; ++axis) {
    dims[axis] = out.dims[axes[axis]];
    lrn.in.strides[axis] = in.strides[axes[axis]];
    lrn.out.strides[axis] = out.strides[axes[axis]];
    if (axes[axis] == 1) lrn.channel_axis = axis;
  }
  lrn.space = Space(dims, used);
  lrn.channels = in.dims[1];
  lrn.before = (settings.size - 1) / 2;
  lrn.after = settings.size / 2;
  lrn.in.type = in.type;
  lrn.out.type = out.type;
  lrn.factor = settings.alpha / static_cast<float>(settings.size);
  lrn.beta = settings.beta;
  lrn.bias = settings.bias;
  return made("kernel lrn", [lrn, in, out](CUstream_st* stream, const void* const* inputs,
                                           void* const* outputs) {
    Lrn placed = lrn;
    placed.in.data = at(inputs[0], in);
    placed.out.data = at(outputs[0], out);
    return launch(lrn_elements, Threads::kAlone, grid_for(placed.space.count), stream, placed);
  });
}

}  // namespace sluice::cuda
