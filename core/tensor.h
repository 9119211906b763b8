#pragma once

#include "sluice/core/buffer.h"
#include "sluice/core/status.h"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

enum class DType : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kF64,
  kI8,
  kI16,
  kI32,
  kI64,
  kU8,
  kU16,
  kU32,
  kU64,
  kBool
};

std::size_t size_of(DType dtype);         // bytes of one element
std::string_view to_string(DType dtype);  // "f32", "i64", ...

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::kF32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::kF64;
}
template <>
constexpr DType dtype_of<std::int8_t>() {
  return DType::kI8;
}
template <>
constexpr DType dtype_of<std::int16_t>() {
  return DType::kI16;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::kI32;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::kI64;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::kU8;
}
template <>
constexpr DType dtype_of<std::uint16_t>() {
  return DType::kU16;
}
template <>
constexpr DType dtype_of<std::uint32_t>() {
  return DType::kU32;
}
template <>
constexpr DType dtype_of<std::uint64_t>() {
  return DType::kU64;
}
template <>
constexpr DType dtype_of<bool>() {
  return DType::kBool;
}

// Up to eight extents, outermost first, kept inline.
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);
  explicit Shape(std::span<const std::int64_t> dims);

  std::size_t rank() const { return rank_; }
  std::int64_t operator[](std::size_t axis) const { return dims_[axis]; }
  std::int64_t& operator[](std::size_t axis) { return dims_[axis]; }
  const std::int64_t* begin() const { return dims_.data(); }
  const std::int64_t* end() const { return dims_.data() + rank_; }
  std::span<const std::int64_t> dims() const { return {dims_.data(), rank_}; }
  void push_back(std::int64_t dim);
  // Product of the extents; 1 for a scalar.
  std::int64_t elements() const;
  std::string to_string() const;  // "[1,3,224,224]"

  friend bool operator==(const Shape& a, const Shape& b);

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  std::uint8_t rank_ = 0;
};

// The shape with one more axis, outermost: of so many items of that shape.
Shape with_batch(const Shape& item, std::int64_t batch);
// Without the outermost axis. REQUIRES: rank >= 1.
Shape without_batch(const Shape& batch);

// Strides, in elements, of a contiguous tensor. An extent that would overflow them wraps around.
Shape row_major_strides(const Shape& shape);

// A typed, shaped, strided view of a Buffer. Copying shares the bytes.
// Strides are in elements; a Tensor made by `allocate` or `view` is contiguous, row-major.
// Threads: thread-compatible; bytes are immutable once the tensor was emitted.
class Tensor {
 public:
  Tensor() = default;
  // REQUIRES: the buffer holds the shape's elements from `offset_bytes` on.
  Tensor(DType dtype, Shape shape, Buffer buffer, std::size_t offset_bytes = 0);
  Tensor(DType dtype, Shape shape, Shape strides, Buffer buffer, std::size_t offset_bytes);

  // Errors: those of Buffer::allocate; tensor.shape for a negative or overflowing extent.
  static Result<Tensor> allocate(DType dtype, const Shape& shape,
                                 const std::shared_ptr<MemoryBudget>& budget = nullptr);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  const Buffer& buffer() const { return buffer_; }
  std::int64_t elements() const { return shape_.elements(); }
  std::size_t size_bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype_); }
  bool is_contiguous() const;
  bool is_empty() const { return !buffer_; }

  std::byte* raw() const { return buffer_.data() + offset_; }
  // REQUIRES: dtype() == dtype_of<T>()
  template <class T>
  T* data() const {
    assert(dtype_ == dtype_of<T>());
    return reinterpret_cast<T*>(raw());
  }
  template <class T>
  std::span<T> span() const {
    return {data<T>(), static_cast<std::size_t>(elements())};
  }

  // The same bytes under another shape. REQUIRES: contiguous, equal number of elements.
  Tensor reshaped(const Shape& shape) const;
  // Row `index` of the outermost axis, sharing the bytes. REQUIRES: contiguous, rank >= 1, in
  // range.
  Tensor row(std::int64_t index) const;

 private:
  DType dtype_ = DType::kF32;
  Shape shape_;
  Shape strides_;
  Buffer buffer_;
  std::size_t offset_ = 0;
};

// Row `index` of what a model gives for several items. What has no such row, as it does not depend
// on the items, belongs to each of them.
Tensor item_of(const Tensor& batch, std::int64_t index);

}  // namespace sluice
