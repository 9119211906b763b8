#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/move.cuh"

namespace sluice::cuda {
namespace {

struct Gather {
  Space space;  // [outer, count, inner]
  std::int64_t extent;
  Operand in, indices, out;
};

template <class T>
__global__ void gather_elements(const __grid_constant__ Gather gather) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < gather.space.count;
       i += step) {
    std::int64_t outer = i;
    const std::int64_t inner = gather.space.take(outer, 2);
    const std::int64_t place = gather.space.take(outer, 1);
    const std::int64_t at = place * gather.indices.strides[0];
    std::int64_t index = gather.indices.type == SLUICE_CUDA_I64
                             ? static_cast<const std::int64_t*>(gather.indices.data)[at]
                             : static_cast<const std::int32_t*>(gather.indices.data)[at];
    if (index < 0) index += gather.extent;
    const std::int64_t* const from = gather.in.strides;
    const std::int64_t* const to = gather.out.strides;
    T value{};
    if (index >= 0 && index < gather.extent)
      value = static_cast<const T*>(
          gather.in.data)[outer * from[0] + index * from[1] + inner * from[2]];
    static_cast<T*>(gather.out.data)[outer * to[0] + place * to[1] + inner * to[2]] = value;
  }
}

Operand operand_of(const sluice_cuda_view& view) {
  Operand operand;
  operand.type = view.type;
  std::copy(view.strides, view.strides + kMaxRank, operand.strides);
  return operand;
}

}  // namespace

Made make_gather(const sluice_cuda_op& op) {
  if (op.inputs != 2 || op.in[0].rank != 3 || op.in[1].rank != 1 || op.out[0].rank != 3)
    return no_kernel("a gather of other than lines");
  const bool whole = op.in[1].type == SLUICE_CUDA_I32 || op.in[1].type == SLUICE_CUDA_I64;
  const int bytes = bytes_of(op.in[0].type);
  if (!whole || bytes != bytes_of(op.out[0].type))
    return no_kernel("a gather by other than i32 and i64, or into another size of element");
  Gather gather{
      {}, op.in[0].dims[1], operand_of(op.in[0]), operand_of(op.in[1]), operand_of(op.out[0])};
  return made("kernel gather",
              [gather, bytes, in = op.in[0], indices = op.in[1], out = op.out[0]](
                  CUstream_st* stream, const void* const* inputs, void* const* outputs) {
                Gather wide = gather;
                wide.in.data = at(inputs[0], in);
                wide.indices.data = at(inputs[1], indices);
                wide.out.data = at(outputs[0], out);
                const int width = widest(bytes, out.dims[2], wide.in, wide.out, 3, 2);
                wide.space = Space{out.dims[0], out.dims[1], out.dims[2] / (width / bytes)};
                widen(wide.in, 3, 2, width / bytes);
                widen(wide.out, 3, 2, width / bytes);
                return with_bytes(width, [&](auto element) {
                  return launch(gather_elements<decltype(element)>, Threads::kAlone,
                                grid_for(wide.space.count), stream, wide);
                });
              });
}

}  // namespace sluice::cuda
