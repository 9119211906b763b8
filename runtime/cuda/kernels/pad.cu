#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/move.cuh"

#include <numeric>

namespace sluice::cuda {
namespace {

struct Pad {
  Space space;  // of the result
  Operand in, out;
  std::int64_t extents[kMaxRank];  // the input's
  std::int64_t before[kMaxRank];
  std::uint64_t value;
};

// The place in the input of what is at `index`, counted from the input's first element; -1: none.
__device__ __forceinline__ std::int64_t source_of(int mode, std::int64_t index,
                                                  std::int64_t extent) {
  if (index >= 0 && index < extent) return index;
  if (mode == SLUICE_CUDA_PAD_CONSTANT || extent == 0) return -1;
  if (mode == SLUICE_CUDA_PAD_EDGE) return index < 0 ? 0 : extent - 1;
  // Reflected at the middle of the first and of the last element, as often as it takes.
  const std::int64_t period = mode == SLUICE_CUDA_PAD_WRAP ? extent : 2 * (extent - 1);
  if (period == 0) return 0;
  const std::int64_t rest = index % period + (index % period < 0 ? period : 0);
  return rest < extent ? rest : period - rest;
}

template <class T>
__global__ void pad_elements(const __grid_constant__ Pad pad, int mode) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < pad.space.count;
       i += step) {
    std::int64_t position = i, from = 0, to = 0;
    bool inside = true;
    for (int axis = pad.space.rank - 1; axis >= 0; --axis) {
      const std::int64_t index = axis > 0 ? pad.space.take(position, axis) : position;
      const std::int64_t source = source_of(mode, index - pad.before[axis], pad.extents[axis]);
      inside = inside && source >= 0;
      from += source * pad.in.strides[axis];
      to += index * pad.out.strides[axis];
    }
    static_cast<T*>(pad.out.data)[to] =
        inside ? static_cast<const T*>(pad.in.data)[from] : static_cast<T>(pad.value);
  }
}

// The axes in the order in which the result lies in memory.
Pad describe(const sluice_cuda_op& op) {
  const sluice_cuda_view &in = op.in[0], &out = op.out[0];
  int axes[kMaxRank];
  std::iota(axes, axes + out.rank, 0);
  std::stable_sort(axes, axes + out.rank, [&](int a, int b) {
    return std::abs(out.strides[a]) > std::abs(out.strides[b]);
  });
  Pad pad{};
  std::int64_t dims[kMaxRank];
  for (int axis = 0; axis < out.rank; ++axis) {
    dims[axis] = out.dims[axes[axis]];
    pad.extents[axis] = in.dims[axes[axis]];
    pad.before[axis] = op.as.pad.before[axes[axis]];
    pad.in.strides[axis] = in.strides[axes[axis]];
    pad.out.strides[axis] = out.strides[axes[axis]];
  }
  pad.space = Space(dims, out.rank);
  pad.value = op.as.pad.value;
  return pad;
}

}  // namespace

Made make_pad(const sluice_cuda_op& op) {
  const int bytes = bytes_of(op.in[0].type);
  if (op.in[0].rank != op.out[0].rank || bytes != bytes_of(op.out[0].type))
    return no_kernel("padding into another rank or size of element");
  const Pad pad = describe(op);
  return made("kernel pad",
              [pad, bytes, mode = int{op.as.pad.mode}, in = op.in[0], out = op.out[0]](
                  CUstream_st* stream, const void* const* inputs, void* const* outputs) {
                Pad placed = pad;
                placed.in.data = at(inputs[0], in);
                placed.out.data = at(outputs[0], out);
                return with_element(bytes, [&](auto element) {
                  return launch(pad_elements<decltype(element)>, Threads::kAlone,
                                grid_for(placed.space.count), stream, placed, mode);
                });
              });
}

}  // namespace sluice::cuda
