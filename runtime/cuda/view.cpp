#include "sluice/runtime/cuda/view.h"

namespace sluice::cuda {

std::size_t element_bytes(std::int32_t type) {
  switch (type) {
    case SLUICE_CUDA_F64:
    case SLUICE_CUDA_I64:
    case SLUICE_CUDA_U64:
      return 8;
    case SLUICE_CUDA_F32:
    case SLUICE_CUDA_I32:
    case SLUICE_CUDA_U32:
      return 4;
    case SLUICE_CUDA_F16:
    case SLUICE_CUDA_BF16:
    case SLUICE_CUDA_I16:
    case SLUICE_CUDA_U16:
      return 2;
    default:
      return 1;
  }
}

std::int64_t element_count(const sluice_cuda_view& view) {
  std::int64_t count = 1;
  for (int axis = 0; axis < view.rank; ++axis) count *= view.dims[axis];
  return count;
}

std::size_t extent_bytes(const sluice_cuda_view& view) {
  if (element_count(view) == 0) return 0;
  std::int64_t last = view.offset;
  for (int axis = 0; axis < view.rank; ++axis) last += (view.dims[axis] - 1) * view.strides[axis];
  return static_cast<std::size_t>(last + 1) * element_bytes(view.type);
}

}  // namespace sluice::cuda
