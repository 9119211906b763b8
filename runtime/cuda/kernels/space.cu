#include "sluice/runtime/cuda/kernels/element.cuh"
#include "sluice/runtime/cuda/kernels/space.h"

#include <algorithm>
#include <cstdint>

namespace sluice::cuda {
namespace {

std::int64_t magnitude(std::int64_t stride) { return stride < 0 ? -stride : stride; }

bool can_merge(const Collapsed& views, int count, int outer, std::int64_t inner_extent,
               const std::int64_t* inner_strides) {
  for (int view = 0; view < count; ++view) {
    if (views.strides[view][outer] != inner_strides[view] * inner_extent) return false;
  }
  return true;
}

}  // namespace

void* at(const void* data, const sluice_cuda_view& view) {
  if (!data) return nullptr;
  auto* const bytes = static_cast<std::byte*>(const_cast<void*>(data));
  return bytes + view.offset * bytes_of(view.type);
}

Collapsed collapse(const sluice_cuda_view* const* views, int count, Order order) {
  const sluice_cuda_view& first = *views[0];
  int axes[kMaxRank];
  int used = 0;
  for (int axis = 0; axis < first.rank; ++axis) {
    if (first.dims[axis] != 1) axes[used++] = axis;
  }
  if (order == Order::kOfMemory) {
    std::stable_sort(axes, axes + used, [&](int a, int b) {
      return magnitude(first.strides[a]) > magnitude(first.strides[b]);
    });
  }
  Collapsed result;
  for (int i = 0; i < used; ++i) {
    const std::int64_t extent = first.dims[axes[i]];
    std::int64_t strides[SLUICE_CUDA_MAX_OPERANDS + 1];
    for (int view = 0; view < count; ++view) strides[view] = views[view]->strides[axes[i]];
    const bool merge =
        result.rank > 0 && can_merge(result, count, result.rank - 1, extent, strides);
    if (!merge) result.dims[result.rank++] = 1;
    const int axis = result.rank - 1;
    result.dims[axis] *= extent;
    for (int view = 0; view < count; ++view) result.strides[view][axis] = strides[view];
  }
  return result;
}

Collapsed collapse(std::initializer_list<const sluice_cuda_view*> views, Order order) {
  return collapse(views.begin(), static_cast<int>(views.size()), order);
}

bool is_aligned(const void* data, int element_bytes, const std::int64_t* strides, int rank,
                int inner, int width) {
  const int bytes = std::min(16, element_bytes * width);
  if (reinterpret_cast<std::uintptr_t>(data) % static_cast<std::uintptr_t>(bytes) != 0)
    return false;
  for (int axis = 0; axis < rank; ++axis) {
    if (axis != inner && strides[axis] * element_bytes % bytes != 0) return false;
  }
  return true;
}

}  // namespace sluice::cuda
