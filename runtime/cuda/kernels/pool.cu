#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/function.cuh"
#include "sluice/runtime/cuda/kernels/window.cuh"

namespace sluice::cuda {
namespace {

struct Pool {
  Space space;  // of the result, or of its packs: [N, spatial, packs of channels]
  Places places;
  Image x, out, indices;
  Window window;
  std::int64_t channels;
  std::int32_t average, count_include_pad, has_indices;
};

// How many taps lie within the image and the padding around it.
__device__ __forceinline__ std::int64_t padded_taps(const Pool& pool, int axis,
                                                    std::int64_t origin) {
  const Window& w = pool.window;
  const std::int64_t room = pool.x.dims[axis] + w.pad_end[axis] - origin;
  const std::int64_t taps = (room + w.dilation[axis] - 1) / w.dilation[axis];
  return taps < w.kernel[axis] ? taps : w.kernel[axis];
}

__device__ __forceinline__ float divisor_of(const Pool& pool, const Range (&ranges)[kAxes]) {
  std::int64_t count = 1;
#pragma unroll
  for (int axis = 0; axis < kAxes; ++axis) {
    count *= pool.count_include_pad ? padded_taps(pool, axis, ranges[axis].origin)
                                    : ranges[axis].end - ranges[axis].begin;
  }
  return static_cast<float>(count);
}

// Calls `f` with the place of each tap that lies within the image.
template <class F>
__device__ __forceinline__ void for_each_tap(const Pool& pool, const Range (&ranges)[kAxes], F f) {
  const Window& w = pool.window;
  for (std::int64_t a = ranges[0].begin; a < ranges[0].end; ++a) {
    for (std::int64_t b = ranges[1].begin; b < ranges[1].end; ++b) {
      for (std::int64_t c = ranges[2].begin; c < ranges[2].end; ++c) {
        const std::int64_t place[kAxes] = {ranges[0].origin + a * w.dilation[0],
                                           ranges[1].origin + b * w.dilation[1],
                                           ranges[2].origin + c * w.dilation[2]};
        f(place);
      }
    }
  }
}

__global__ void pool_elements(const __grid_constant__ Pool pool) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < pool.space.count;
       i += step) {
    std::int64_t image, channel, place[kAxes];
    pool.places.split(i, image, channel, place);
    const Range ranges[kAxes] = {inside(pool.window, pool.x, 0, place[0]),
                                 inside(pool.window, pool.x, 1, place[1]),
                                 inside(pool.window, pool.x, 2, place[2])};
    float value = pool.average ? 0.0f : -INFINITY;
    std::int64_t index = -1;
    for_each_tap(pool, ranges, [&](const std::int64_t(&at)[kAxes]) {
      const float x = load_float(pool.x.type, pool.x.data, pool.x.offset(image, channel, at));
      if (pool.average) {
        value += x;
      } else if (index < 0 || x > value || (x != x && value == value)) {
        value = x;
        index = (at[0] * pool.x.dims[1] + at[1]) * pool.x.dims[2] + at[2];
      }
    });
    if (pool.average) value /= divisor_of(pool, ranges);
    store_float(pool.out.type, pool.out.data, pool.out.offset(image, channel, place), value);
    if (pool.has_indices) {
      const std::int64_t size = pool.x.dims[0] * pool.x.dims[1] * pool.x.dims[2];
      static_cast<std::int64_t*>(pool.indices.data)[pool.indices.offset(image, channel, place)] =
          (image * pool.channels + channel) * size + index;
    }
  }
}

__global__ void pool_packs(const __grid_constant__ Pool pool) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < pool.space.count;
       i += step) {
    std::int64_t image = i;
    const std::int64_t channel = pool.space.take(image, 4) * kPack;
    std::int64_t place[kAxes];
    for (int axis = kAxes - 1; axis >= 0; --axis) place[axis] = pool.space.take(image, 1 + axis);
    const Range ranges[kAxes] = {inside(pool.window, pool.x, 0, place[0]),
                                 inside(pool.window, pool.x, 1, place[1]),
                                 inside(pool.window, pool.x, 2, place[2])};
    float values[kPack];
    each(values, [&](float) { return pool.average ? 0.0f : -INFINITY; });
    for_each_tap(pool, ranges, [&](const std::int64_t(&at)[kAxes]) {
      float x[kPack];
      load_pack(pool.x.type, pool.x.data, pool.x.offset(image, channel, at), x);
#pragma unroll
      for (int c = 0; c < kPack; ++c) {
        if (pool.average)
          values[c] += x[c];
        else
          values[c] = x[c] > values[c] || x[c] != x[c] ? x[c] : values[c];
      }
    });
    if (pool.average) {
      const float divisor = divisor_of(pool, ranges);
      each(values, [=](float x) { return x / divisor; });
    }
    store_pack(pool.out.type, pool.out.data, pool.out.offset(image, channel, place), values);
  }
}

const char* why_not(const sluice_cuda_op& op) {
  const sluice_cuda_window& window = op.as.pool.window;
  if (!has_images(op.in[0], window) || !has_images(op.out[0], window))
    return "a pool of other than one to three spatial axes";
  if (!is_small_float(op.in[0].type) || !is_small_float(op.out[0].type))
    return "a pool of other than f32, f16 and bf16";
  if (op.outputs < 2) return nullptr;
  if (!has_images(op.out[1], window) || op.out[1].type != SLUICE_CUDA_I64)
    return "places of maxima in other than i64";
  return op.as.pool.average ? "places of an average" : nullptr;
}

bool has_packs(const Pool& pool) {
  return pool.places.channels_last && pool.x.c == 1 && pool.channels % kPack == 0 &&
         !pool.has_indices;
}

}  // namespace

Made make_pool(const sluice_cuda_op& op) {
  if (const char* const reason = why_not(op)) return no_kernel(reason);
  Pool pool{};
  pool.x = Image(op.in[0]);
  pool.out = Image(op.out[0]);
  pool.has_indices = op.outputs > 1 ? 1 : 0;
  if (pool.has_indices) pool.indices = Image(op.out[1]);
  pool.window = Window(op.as.pool.window);
  pool.channels = op.in[0].dims[1];
  pool.average = op.as.pool.average;
  pool.count_include_pad = op.as.pool.count_include_pad;
  pool.places = Places(op.out[0], pool.out);
  return made(
      "kernel pool", [pool, in = op.in[0], out = op.out[0], second = op.out[1]](
                         CUstream_st* stream, const void* const* inputs, void* const* outputs) {
        Pool placed = pool;
        placed.x.data = at(inputs[0], in);
        placed.out.data = at(outputs[0], out);
        if (placed.has_indices) placed.indices.data = at(outputs[1], second);
        if (has_packs(placed) && is_packed(placed.x) && is_packed(placed.out)) {
          const std::int64_t* const d = placed.out.dims;
          placed.space = Space{out.dims[0], d[0], d[1], d[2], placed.channels / kPack};
          return launch(pool_packs, Threads::kAlone, grid_for(placed.space.count), stream, placed);
        }
        placed.space = placed.places.space;
        return launch(pool_elements, Threads::kAlone, grid_for(placed.space.count), stream, placed);
      });
}

}  // namespace sluice::cuda
