#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/function.cuh"
#include "sluice/runtime/cuda/kernels/space.h"

#include <algorithm>
#include <numeric>

namespace sluice::cuda {
namespace {

struct Resize {
  Space space;  // of the result as it lies, or of its packs
  Operand in, out;
  std::int32_t taps[kMaxRank];   // 0: the axis is not scaled
  std::int64_t first[kMaxRank];  // of the axis' places and weights
  std::int64_t combinations;     // of the taps of all axes
  const std::int32_t* places;
  const float* weights;
  std::int64_t place_stride, weight_stride;
  float outside;
};

// Where one combination of taps lies and how much it counts.
struct Tap {
  std::int64_t offset = 0;
  float weight = 1.0f;
  bool inside = true;
};

__device__ __forceinline__ Tap tap_of(const Resize& resize, std::int64_t position,
                                      std::int64_t combination) {
  Tap tap;
  for (int axis = resize.space.rank - 1; axis >= 0; --axis) {
    std::int64_t index = axis > 0 ? resize.space.take(position, axis) : position;
    if (const int taps = resize.taps[axis]; taps > 0) {
      const std::int64_t rest = taps == 1 ? combination : combination / taps;
      const std::int64_t at = resize.first[axis] + index * taps + (combination - rest * taps);
      combination = rest;
      index = resize.places[at * resize.place_stride];
      tap.weight *= resize.weights[at * resize.weight_stride];
      tap.inside = tap.inside && index >= 0;
    }
    tap.offset += index * resize.in.strides[axis];
  }
  return tap;
}

__global__ void resize_elements(const __grid_constant__ Resize resize) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < resize.space.count;
       i += step) {
    float sum = 0.0f;
    for (std::int64_t c = 0; c < resize.combinations; ++c) {
      const Tap tap = tap_of(resize, i, c);
      sum += tap.weight *
             (tap.inside ? load_float(resize.in.type, resize.in.data, tap.offset) : resize.outside);
    }
    store_float(resize.out.type, resize.out.data, resize.space.offset(i, resize.out.strides), sum);
  }
}

// Eight neighbours along the last axis, which is not scaled.
__global__ void resize_packs(const __grid_constant__ Resize resize) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < resize.space.count;
       i += step) {
    float sums[kPack] = {};
    for (std::int64_t c = 0; c < resize.combinations; ++c) {
      const Tap tap = tap_of(resize, i, c);
      float values[kPack];
      if (tap.inside) {
        load_pack(resize.in.type, resize.in.data, tap.offset, values);
      } else {
        each(values, [&](float) { return resize.outside; });
      }
#pragma unroll
      for (int k = 0; k < kPack; ++k) sums[k] += tap.weight * values[k];
    }
    store_pack(resize.out.type, resize.out.data, resize.space.offset(i, resize.out.strides), sums);
  }
}

const char* why_not(const sluice_cuda_op& op) {
  if (op.inputs != 3 || op.in[0].rank != op.out[0].rank) return "scaling into another rank";
  if (!is_small_float(op.in[0].type) || !is_small_float(op.out[0].type))
    return "scaling of other than f32, f16 and bf16";
  if (op.in[1].rank != 1 || op.in[1].type != SLUICE_CUDA_I32 || op.in[2].rank != 1 ||
      op.in[2].type != SLUICE_CUDA_F32)
    return "places and weights that are no vectors of i32 and f32";
  return nullptr;
}

Resize describe(const sluice_cuda_op& op) {
  const sluice_cuda_view &in = op.in[0], &out = op.out[0];
  int axes[kMaxRank];
  std::iota(axes, axes + out.rank, 0);
  std::stable_sort(axes, axes + out.rank,
                   [&](int a, int b) { return out.strides[a] > out.strides[b]; });
  std::int64_t first[kMaxRank] = {};
  for (int axis = 1; axis < out.rank; ++axis)
    first[axis] = first[axis - 1] + out.dims[axis - 1] * op.as.resize.taps[axis - 1];
  Resize resize{};
  resize.combinations = 1;
  std::int64_t dims[kMaxRank];
  for (int axis = 0; axis < out.rank; ++axis) {
    dims[axis] = out.dims[axes[axis]];
    resize.in.strides[axis] = in.strides[axes[axis]];
    resize.out.strides[axis] = out.strides[axes[axis]];
    resize.taps[axis] = op.as.resize.taps[axes[axis]];
    resize.first[axis] = first[axes[axis]];
    if (resize.taps[axis] > 0) resize.combinations *= resize.taps[axis];
  }
  resize.space = Space(dims, out.rank);
  resize.in.type = in.type;
  resize.out.type = out.type;
  resize.place_stride = op.in[1].strides[0];
  resize.weight_stride = op.in[2].strides[0];
  resize.outside = op.as.resize.outside;
  return resize;
}

// Turns it into one of packs, if it can be. REQUIRES: the pointers are set.
bool pack(Resize& resize) {
  const int rank = resize.space.rank, inner = rank - 1;
  if (rank == 0 || resize.taps[inner] > 0 || resize.space.dims[inner] % kPack != 0) return false;
  const auto fits = [&](const Operand& operand) {
    return operand.strides[inner] == 1 &&
           is_aligned(operand.data, bytes_of(operand.type), operand.strides, rank, inner, kPack);
  };
  if (!fits(resize.in) || !fits(resize.out)) return false;
  std::int64_t dims[kMaxRank];
  std::copy(resize.space.dims, resize.space.dims + rank, dims);
  dims[inner] /= kPack;
  resize.space = Space(dims, rank);
  resize.in.strides[inner] = resize.out.strides[inner] = kPack;
  return true;
}

}  // namespace

Made make_resize(const sluice_cuda_op& op) {
  if (const char* const reason = why_not(op)) return no_kernel(reason);
  const Resize resize = describe(op);
  return made("kernel resize", [resize, in = op.in[0], places = op.in[1], weights = op.in[2],
                                out = op.out[0]](CUstream_st* stream, const void* const* inputs,
                                                 void* const* outputs) {
    Resize placed = resize;
    placed.in.data = at(inputs[0], in);
    placed.places = static_cast<const std::int32_t*>(at(inputs[1], places));
    placed.weights = static_cast<const float*>(at(inputs[2], weights));
    placed.out.data = at(outputs[0], out);
    if (pack(placed))
      return launch(resize_packs, Threads::kAlone, grid_for(placed.space.count), stream, placed);
    return launch(resize_elements, Threads::kAlone, grid_for(placed.space.count), stream, placed);
  });
}

}  // namespace sluice::cuda
