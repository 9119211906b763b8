#include "sluice/core/tensor.h"

#include <algorithm>

namespace sluice {
std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kI64:
    case DType::kU64:
      return 8;
    case DType::kF32:
    case DType::kI32:
    case DType::kU32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
    case DType::kI16:
    case DType::kU16:
      return 2;
    case DType::kI8:
    case DType::kU8:
    case DType::kBool:
      return 1;
  }
  return 1;
}

std::string_view to_string(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kF16:
      return "f16";
    case DType::kBF16:
      return "bf16";
    case DType::kF64:
      return "f64";
    case DType::kI8:
      return "i8";
    case DType::kI16:
      return "i16";
    case DType::kI32:
      return "i32";
    case DType::kI64:
      return "i64";
    case DType::kU8:
      return "u8";
    case DType::kU16:
      return "u16";
    case DType::kU32:
      return "u32";
    case DType::kU64:
      return "u64";
    case DType::kBool:
      return "bool";
  }
  return "?";
}

Shape::Shape(std::initializer_list<std::int64_t> dims)
    : Shape(std::span<const std::int64_t>(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const std::int64_t> dims) : rank_(static_cast<std::uint8_t>(dims.size())) {
  assert(dims.size() <= kMaxRank);
  std::copy(dims.begin(), dims.end(), dims_.begin());
}

void Shape::push_back(std::int64_t dim) {
  assert(rank_ < kMaxRank);
  dims_[rank_++] = dim;
}

std::int64_t Shape::elements() const {
  std::int64_t elements = 1;
  for (const std::int64_t dim : dims()) elements *= dim;
  return elements;
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (const std::int64_t dim : dims()) {
    if (text.size() > 1) text += ',';
    text += std::to_string(dim);
  }
  return text + ']';
}

Shape with_batch(const Shape& item, std::int64_t batch) {
  Shape shape{batch};
  for (const std::int64_t dim : item) shape.push_back(dim);
  return shape;
}

Shape without_batch(const Shape& batch) { return Shape(batch.dims().subspan(1)); }

Shape row_major_strides(const Shape& shape) {
  Shape strides = shape;
  std::uint64_t step = 1;
  for (std::size_t axis = shape.rank(); axis-- > 0;) {
    strides[axis] = static_cast<std::int64_t>(step);
    step *= static_cast<std::uint64_t>(shape[axis]);
  }
  return strides;
}

bool operator==(const Shape& a, const Shape& b) { return std::ranges::equal(a.dims(), b.dims()); }

Tensor::Tensor(DType dtype, Shape shape, Buffer buffer, std::size_t offset_bytes)
    : Tensor(dtype, shape, row_major_strides(shape), std::move(buffer), offset_bytes) {}

Tensor::Tensor(DType dtype, Shape shape, Shape strides, Buffer buffer, std::size_t offset_bytes)
    : dtype_(dtype),
      shape_(shape),
      strides_(strides),
      buffer_(std::move(buffer)),
      offset_(offset_bytes) {
  assert(shape_.rank() == strides_.rank());
  assert(!is_contiguous() || offset_ + size_bytes() <= buffer_.size_bytes());
}

Result<Tensor> Tensor::allocate(DType dtype, const Shape& shape,
                                const std::shared_ptr<MemoryBudget>& budget) {
  std::size_t bytes = size_of(dtype);
  bool empty = false;
  for (const std::int64_t dim : shape.dims()) {
    if (dim < 0 ||
        (dim > 0 && __builtin_mul_overflow(bytes, static_cast<std::size_t>(dim), &bytes))) {
      return invalid("tensor.shape", "no tensor has the shape " + shape.to_string());
    }
    empty = empty || dim == 0;
  }
  Result<Buffer> buffer = Buffer::allocate(empty ? 0 : bytes, budget);
  if (!buffer) return buffer.status();
  return Tensor(dtype, shape, std::move(*buffer));
}

bool Tensor::is_contiguous() const {
  std::int64_t step = 1;
  for (std::size_t axis = shape_.rank(); axis-- > 0;) {
    if (shape_[axis] == 0) return true;
    if (shape_[axis] != 1 && strides_[axis] != step) return false;
    step *= shape_[axis];
  }
  return true;
}

Tensor Tensor::reshaped(const Shape& shape) const {
  assert(is_contiguous() && shape.elements() == elements());
  return Tensor(dtype_, shape, buffer_, offset_);
}

Tensor Tensor::row(std::int64_t index) const {
  assert(is_contiguous() && shape_.rank() >= 1 && index >= 0 && index < shape_[0]);
  const Tensor row(dtype_, without_batch(shape_), buffer_, offset_);
  return Tensor(dtype_, row.shape(), buffer_,
                offset_ + static_cast<std::size_t>(index) * row.size_bytes());
}

Tensor item_of(const Tensor& batch, std::int64_t index) {
  return batch.shape().rank() > 0 && index < batch.shape()[0] ? batch.row(index) : batch;
}

}  // namespace sluice
