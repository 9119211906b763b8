#include "sluice/nodes/infer/gpu/view.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <numeric>

namespace sluice::gpu {
namespace {

std::size_t rank_of(const View& view) { return static_cast<std::size_t>(view.rank); }

View with_dims(std::int32_t type, Dims dims) {
  assert(dims.size() <= SLUICE_CUDA_MAX_RANK);
  View view{};
  view.type = type;
  view.rank = static_cast<std::int32_t>(dims.size());
  std::ranges::copy(dims, view.dims);
  return view;
}

// Strides without gaps for axes that follow each other in memory as `order` lists them, outermost
// first.
void fill(View& view, std::span<const std::size_t> order) {
  std::int64_t stride = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    view.strides[order[i]] = stride;
    stride *= std::max<std::int64_t>(view.dims[order[i]], 1);
  }
}

bool lies_like(const View& view, const View& other) {
  for (std::size_t i = 0; i < rank_of(view); ++i) {
    if (view.dims[i] > 1 && view.strides[i] != other.strides[i]) return false;
  }
  return true;
}

}  // namespace

sluice_cuda_type type_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return SLUICE_CUDA_F32;
    case DType::kF16:
      return SLUICE_CUDA_F16;
    case DType::kBF16:
      return SLUICE_CUDA_BF16;
    case DType::kF64:
      return SLUICE_CUDA_F64;
    case DType::kI8:
      return SLUICE_CUDA_I8;
    case DType::kI16:
      return SLUICE_CUDA_I16;
    case DType::kI32:
      return SLUICE_CUDA_I32;
    case DType::kI64:
      return SLUICE_CUDA_I64;
    case DType::kU8:
      return SLUICE_CUDA_U8;
    case DType::kU16:
      return SLUICE_CUDA_U16;
    case DType::kU32:
      return SLUICE_CUDA_U32;
    case DType::kU64:
      return SLUICE_CUDA_U64;
    case DType::kBool:
      return SLUICE_CUDA_BOOL;
  }
  return SLUICE_CUDA_F32;
}

std::size_t bytes_of(std::int32_t type) {
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

bool is_float(std::int32_t type) {
  return type == SLUICE_CUDA_F32 || type == SLUICE_CUDA_F16 || type == SLUICE_CUDA_BF16;
}

Dims dims_of(const View& view) { return {view.dims, rank_of(view)}; }

std::int64_t extent(Dims dims) {
  return std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
}

std::int64_t elements(const View& view) { return extent(dims_of(view)); }

View dense(std::int32_t type, Dims dims) {
  View view = with_dims(type, dims);
  std::array<std::size_t, SLUICE_CUDA_MAX_RANK> order;
  std::iota(order.begin(), order.end(), 0);
  fill(view, {order.data(), dims.size()});
  return view;
}

View channels_last(std::int32_t type, Dims dims) {
  assert(dims.size() >= 2);
  View view = with_dims(type, dims);
  std::array<std::size_t, SLUICE_CUDA_MAX_RANK> order{0};
  std::iota(order.begin() + 1, order.end(), 2);
  order[dims.size() - 1] = 1;
  fill(view, {order.data(), dims.size()});
  return view;
}

View dense_like(std::int32_t type, Dims dims, const View& like) {
  assert(rank_of(like) == dims.size());
  View view = with_dims(type, dims);
  std::array<std::size_t, SLUICE_CUDA_MAX_RANK> order;
  std::iota(order.begin(), order.end(), 0);
  const auto used = std::span(order).first(dims.size());
  // Axes of one element, and repeated ones, have no place of their own: they stay where they were.
  std::vector<std::size_t> placed;
  for (std::size_t axis : used) {
    if (like.dims[axis] > 1 && like.strides[axis] != 0) placed.push_back(axis);
  }
  std::vector<std::size_t> sorted = placed;
  std::ranges::stable_sort(sorted, std::greater<>(), [&](std::size_t axis) {
    return like.strides[axis] < 0 ? -like.strides[axis] : like.strides[axis];
  });
  for (std::size_t i = 0; i < placed.size(); ++i) used[placed[i]] = sorted[i];
  fill(view, used);
  return view;
}

bool is_dense(const View& view) { return lies_like(view, dense(view.type, dims_of(view))); }

bool is_channels_last(const View& view) {
  return view.rank >= 2 && lies_like(view, channels_last(view.type, dims_of(view)));
}

bool repeats(const View& view) {
  for (std::size_t i = 0; i < rank_of(view); ++i) {
    if (view.dims[i] > 1 && view.strides[i] == 0) return true;
  }
  return false;
}

View permuted(const View& view, Dims order) {
  View turned = view;
  for (std::size_t i = 0; i < order.size(); ++i) {
    turned.dims[i] = view.dims[order[i]];
    turned.strides[i] = view.strides[order[i]];
  }
  return turned;
}

View broadcast(const View& view, Dims dims) {
  View wide = with_dims(view.type, dims);
  wide.offset = view.offset;
  const std::size_t added = dims.size() - rank_of(view);
  for (std::size_t i = 0; i < rank_of(view); ++i) {
    assert(view.dims[i] == dims[added + i] || view.dims[i] == 1);
    wide.strides[added + i] = view.dims[i] == dims[added + i] ? view.strides[i] : 0;
  }
  return wide;
}

// Axes that follow each other in memory without a gap are one run; the new extents have to divide
// the runs.
std::optional<View> reshaped(const View& view, Dims dims) {
  View result = with_dims(view.type, dims);
  result.offset = view.offset;
  if (elements(view) == 0) return dense(view.type, dims);
  struct Run {
    std::int64_t extent, stride;
  };
  std::vector<Run> runs;  // innermost first
  for (std::size_t i = rank_of(view); i-- > 0;) {
    if (view.dims[i] == 1) continue;
    if (!runs.empty() && view.strides[i] == runs.back().extent * runs.back().stride) {
      runs.back().extent *= view.dims[i];
    } else {
      runs.push_back({view.dims[i], view.strides[i]});
    }
  }
  std::size_t run = 0;
  std::int64_t left = runs.empty() ? 1 : runs[0].extent;
  std::int64_t stride = runs.empty() ? 1 : runs[0].stride;
  for (std::size_t i = dims.size(); i-- > 0;) {
    if (left == 1 && dims[i] > 1) {
      if (++run >= runs.size()) return std::nullopt;
      left = runs[run].extent;
      stride = runs[run].stride;
    }
    if (left % dims[i] != 0) return std::nullopt;
    result.strides[i] = stride;
    stride *= dims[i];
    left /= dims[i];
  }
  return result;
}

View part(const View& view, std::size_t axis, std::int64_t start, std::int64_t extent) {
  View cut = view;
  cut.offset += start * view.strides[axis];
  cut.dims[axis] = extent;
  return cut;
}

}  // namespace sluice::gpu
