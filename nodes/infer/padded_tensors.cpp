#include "sluice/nodes/infer/padded_tensors.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace sluice {

void copy_common(const std::byte* from, std::span<const std::int64_t> from_dims, std::byte* to,
                 std::span<const std::int64_t> to_dims, std::size_t element_bytes) {
  if (from_dims.empty()) {
    std::memcpy(to, from, element_bytes);
    return;
  }
  const auto row_bytes = [&](std::span<const std::int64_t> dims) {
    return std::accumulate(
        dims.begin() + 1, dims.end(), element_bytes,
        [](std::size_t n, std::int64_t dim) { return n * static_cast<std::size_t>(dim); });
  };
  const std::size_t from_row = row_bytes(from_dims);
  const std::size_t to_row = row_bytes(to_dims);
  const auto rows = static_cast<std::size_t>(std::min(from_dims[0], to_dims[0]));
  if (std::ranges::equal(from_dims.subspan(1), to_dims.subspan(1))) {
    std::memcpy(to, from, rows * from_row);
    return;
  }
  for (std::size_t row = 0; row < rows; ++row) {
    copy_common(from + row * from_row, from_dims.subspan(1), to + row * to_row, to_dims.subspan(1),
                element_bytes);
  }
}

Result<Tensor> cut(const Tensor& whole, const Shape& shape, Item& item) {
  if (whole.shape() == shape) return whole;
  const bool rows_only =
      std::ranges::equal(whole.shape().dims().subspan(1), shape.dims().subspan(1));
  if (rows_only) {
    const auto offset = static_cast<std::size_t>(whole.raw() - whole.buffer().data());
    return Tensor(whole.dtype(), shape, whole.buffer(), offset);
  }
  Result<Tensor> part = item.allocate_tensor(whole.dtype(), shape);
  if (!part) return part;
  copy_common(whole.raw(), whole.shape().dims(), part->raw(), shape.dims(), size_of(whole.dtype()));
  return part;
}

}  // namespace sluice
