#include "tests/support/cuda/reference.h"

#include <stdexcept>

namespace sluice::cuda {

Extents indices_of(std::int64_t position, const Extents& dims) {
  Extents indices(dims.size());
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    indices[axis] = position % dims[axis];
    position /= dims[axis];
  }
  return indices;
}

std::int64_t position_of(const Extents& indices, const Extents& dims) {
  std::int64_t position = 0;
  for (std::size_t axis = 0; axis < dims.size(); ++axis)
    position = position * dims[axis] + indices[axis];
  return position;
}

Extents dims_of(const sluice_cuda_view& view) { return {view.dims, view.dims + view.rank}; }

std::vector<std::vector<double>> reference(const Case& test) {
  if (test.outputs[0].count() == 0) return {{}};
  switch (test.op.kind) {
    case SLUICE_CUDA_OP_MAP:
      return {reference_map(test)};
    case SLUICE_CUDA_OP_COPY:
      return {reference_copy(test)};
    case SLUICE_CUDA_OP_PAD:
      return {reference_pad(test)};
    case SLUICE_CUDA_OP_GATHER:
      return {reference_gather(test)};
    case SLUICE_CUDA_OP_REDUCE:
      return {reference_reduce(test)};
    case SLUICE_CUDA_OP_ARG:
      return {reference_arg(test)};
    case SLUICE_CUDA_OP_TOPK:
      return reference_topk(test);
    case SLUICE_CUDA_OP_SOFTMAX:
      return {reference_softmax(test)};
    case SLUICE_CUDA_OP_NORMALIZE:
      return {reference_normalize(test)};
    case SLUICE_CUDA_OP_CONV:
      return {reference_conv(test)};
    case SLUICE_CUDA_OP_POOL:
      return reference_pool(test);
    case SLUICE_CUDA_OP_LRN:
      return {reference_lrn(test)};
    case SLUICE_CUDA_OP_RESIZE:
      return {reference_resize(test)};
    case SLUICE_CUDA_OP_CONV_TRANSPOSE:
      return {reference_conv_transpose(test)};
    case SLUICE_CUDA_OP_ATTENTION:
      return {reference_attention(test)};
    case SLUICE_CUDA_OP_IMAGE:
      return {reference_image(test)};
    case SLUICE_CUDA_OP_MATMUL:
      return {reference_matmul(test)};
    default:
      throw std::logic_error("no reference for this kind");
  }
}

}  // namespace sluice::cuda
