#include "sluice/runtime/cuda/kernels/conv.cuh"

namespace sluice::cuda {
namespace {

// A thread makes eight channels of four neighbours in a row of the result. It holds one row of the
// filter in registers, and each pack of the input that it loads goes to every neighbour it is for.
constexpr int kNeighbours = 4;

struct Depthwise {
  Conv conv;
  Space space;  // [N, rows, strips, packs of channels]
};

template <class T>
__device__ __forceinline__ void load_filter(const Conv& conv, std::int64_t channel,
                                            std::int64_t tap, float (&values)[kPack]) {
  const T* const from = static_cast<const T*>(conv.weights.data) + channel * conv.weights.n + tap;
#pragma unroll
  for (int c = 0; c < kPack; ++c) values[c] = to_float(from[c * conv.weights.n]);
}

template <class T>
__device__ __forceinline__ void finish_pack(const Conv& conv, std::int64_t image,
                                            std::int64_t channel, std::int64_t y, std::int64_t x,
                                            float (&sums)[kPack]) {
  const std::int64_t place[kAxes] = {0, y, x};
  activate_lean(conv.activation, sums);
  if (conv.has_residual) {
    float residual[kPack];
    load_pack(conv.residual.type, conv.residual.data, conv.residual.offset(image, channel, place),
              residual);
#pragma unroll
    for (int c = 0; c < kPack; ++c) sums[c] += residual[c];
  }
  activate_lean(conv.after, sums);
  store_pack(conv.out.type, conv.out.data, conv.out.offset(image, channel, place), sums);
}

template <class T, int kSize, int kStride>
__global__ void __launch_bounds__(128) conv_depthwise(const __grid_constant__ Depthwise work) {
  const Conv& conv = work.conv;
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < work.space.count;
       i += step) {
    std::int64_t image = i;
    const std::int64_t channel = work.space.take(image, 3) * kPack;
    const std::int64_t first = work.space.take(image, 2) * kNeighbours;
    const std::int64_t y = work.space.take(image, 1);
    float sums[kNeighbours][kPack];
#pragma unroll
    for (int c = 0; c < kPack; ++c) {
      const float bias = bias_of(conv, channel + c);
#pragma unroll
      for (int n = 0; n < kNeighbours; ++n) sums[n][c] = bias;
    }
    const T* const x = static_cast<const T*>(conv.x.data) + image * conv.x.n + channel;
    const std::int64_t left = first * kStride - conv.window.pad[2];
#pragma unroll 1
    for (int row = 0; row < kSize; ++row) {
      const std::int64_t from_y = y * kStride - conv.window.pad[1] + row;
      if (from_y < 0 || from_y >= conv.x.dims[1]) continue;
      float filter[kSize][kPack];
#pragma unroll
      for (int tap = 0; tap < kSize; ++tap)
        load_filter<T>(conv, channel, row * conv.weights.strides[1] + tap * conv.weights.strides[2],
                       filter[tap]);
#pragma unroll
      for (int column = 0; column < (kNeighbours - 1) * kStride + kSize; ++column) {
        const std::int64_t from_x = left + column;
        if (from_x < 0 || from_x >= conv.x.dims[2]) continue;
        float values[kPack];
        load_pack(x + from_y * conv.x.strides[1] + from_x * conv.x.strides[2], values);
#pragma unroll
        for (int n = 0; n < kNeighbours; ++n) {
          const int tap = column - n * kStride;
          if (tap < 0 || tap >= kSize) continue;
#pragma unroll
          for (int c = 0; c < kPack; ++c) sums[n][c] += values[c] * filter[tap][c];
        }
      }
    }
#pragma unroll
    for (int n = 0; n < kNeighbours; ++n) {
      if (first + n < conv.out.dims[2]) finish_pack<T>(conv, image, channel, y, first + n, sums[n]);
    }
  }
}

template <class T>
Outcome run(const Depthwise& work, CUstream_st* stream) {
  const Grid grid = grid_for(work.space.count, 128);
  const auto with = [&](auto kernel) {
    return launch(kernel, Threads::kAlone, grid, stream, work);
  };
  const bool by_two = work.conv.window.stride[2] == 2;
  if (work.conv.window.kernel[2] == 3)
    return by_two ? with(conv_depthwise<T, 3, 2>) : with(conv_depthwise<T, 3, 1>);
  return by_two ? with(conv_depthwise<T, 5, 2>) : with(conv_depthwise<T, 5, 1>);
}

}  // namespace

bool is_depthwise(const Conv& conv) {
  const Window& w = conv.window;
  const bool square = w.kernel[1] == w.kernel[2] && w.stride[1] == w.stride[2];
  const bool sizes =
      (w.kernel[1] == 3 || w.kernel[1] == 5) && (w.stride[1] == 1 || w.stride[1] == 2);
  const bool plain = w.dilation[1] == 1 && w.dilation[2] == 1 && conv.out.dims[0] == 1 &&
                     conv.x.dims[0] == 1 && w.kernel[0] == 1 && w.pad[0] == 0;
  const bool together =
      conv.places.channels_last && conv.x.c == 1 && (!conv.has_residual || conv.residual.c == 1);
  const bool lean = is_lean(conv.activation.function) && is_lean(conv.after.function);
  return lean && square && sizes && plain && together && conv.group_inputs == 1 &&
         conv.group_outputs == 1 && conv.places.space.dims[4] % kPack == 0;
}

bool has_packs(const Conv& conv) {
  return is_packed(conv.x) && is_packed(conv.out) &&
         (!conv.has_residual || is_packed(conv.residual));
}

Outcome run_depthwise(const Conv& conv, CUstream_st* stream) {
  const std::int64_t strips = (conv.out.dims[2] + kNeighbours - 1) / kNeighbours;
  const Depthwise work{conv, Space{conv.places.space.dims[0], conv.out.dims[1], strips,
                                   conv.places.space.dims[4] / kPack}};
  return with_float(conv.x.type,
                    [&](auto element) { return run<decltype(element)>(work, stream); });
}

}  // namespace sluice::cuda
