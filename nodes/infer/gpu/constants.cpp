#include "sluice/nodes/infer/gpu/constants.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace sluice::gpu {
namespace {

constexpr float kLargestF16 = 65504.0F;
constexpr float kLargestBF16 = 3.3895314e38F;

float limited(float x, float largest) {
  return std::isfinite(x) ? std::clamp(x, -largest, largest) : x;
}

// IEEE 754 binary16, rounded to nearest, halves to even.
std::uint16_t to_f16(float number) {
  const float x = limited(number, kLargestF16);
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  if (std::isnan(x)) return sign | 0x7E00U;
  if (std::isinf(x)) return sign | 0x7C00U;
  // The unit in the last place at this size; below the smallest normal number it stays the same.
  const float magnitude = std::fabs(x);
  const int exponent = magnitude < 0x1p-14F ? -14 : std::ilogb(magnitude);
  const float unit = std::ldexp(1.0F, exponent - 10);
  const auto count = static_cast<std::uint32_t>(std::nearbyint(magnitude / unit));
  // 1024 units are the implicit bit; a carry out of them raises the exponent as it should.
  const auto base = static_cast<std::uint32_t>(exponent + 14) << 10;
  return static_cast<std::uint16_t>(sign | (base + count));
}

std::uint16_t to_bf16(float number) {
  const float x = limited(number, kLargestBF16);
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (std::isnan(x)) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  const std::uint32_t half = 0x7FFFU + ((bits >> 16) & 1U);
  return static_cast<std::uint16_t>((bits + half) >> 16);
}

void store(const std::byte* from, DType dtype, std::int32_t type, std::byte* to) {
  if (dtype != DType::kF32 || type == SLUICE_CUDA_F32) {
    std::memcpy(to, from, size_of(dtype));
    return;
  }
  float number = 0;
  std::memcpy(&number, from, sizeof(number));
  const std::uint16_t half = type == SLUICE_CUDA_F16 ? to_f16(number) : to_bf16(number);
  std::memcpy(to, &half, sizeof(half));
}

std::string text_of(const View& form) {
  std::string text = std::to_string(form.type);
  for (std::size_t i = 0; i < dims_of(form).size(); ++i) {
    text += "," + std::to_string(form.dims[i]) + ":" + std::to_string(form.strides[i]);
  }
  return text;
}

}  // namespace

void lay_out(const Tensor& tensor, const View& form, std::byte* to) {
  const std::size_t from_bytes = size_of(tensor.dtype());
  const std::size_t to_bytes = bytes_of(form.type);
  const Shape& shape = tensor.shape();
  std::vector<std::int64_t> at(shape.rank(), 0);
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    std::int64_t place = form.offset;
    for (std::size_t axis = 0; axis < at.size(); ++axis) place += at[axis] * form.strides[axis];
    store(tensor.raw() + static_cast<std::size_t>(i) * from_bytes, tensor.dtype(), form.type,
          to + static_cast<std::size_t>(place) * to_bytes);
    for (std::size_t axis = at.size(); axis-- > 0;) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
}

Result<Buffer> Constants::make(const Tensor& tensor, const View& form) {
  const std::size_t bytes = static_cast<std::size_t>(elements(form)) * bytes_of(form.type);
  std::vector<std::byte> laid(bytes);
  lay_out(tensor, form, laid.data());
  Result<Buffer> buffer = device_->allocate(device_->memory(), bytes, nullptr);
  if (!buffer) return buffer;
  const Status status = device_->upload({*buffer, 0, bytes}, laid.data());
  if (!status.is_ok()) return status;
  return buffer;
}

Result<Buffer> Constants::get(const std::string& name, const Tensor& tensor, const View& form) {
  if (name.empty()) return make(tensor, form);
  const std::string key = name + "/" + text_of(form);
  const std::scoped_lock lock(mutex_);
  if (const auto found = made_.find(key); found != made_.end()) return found->second;
  Result<Buffer> made = make(tensor, form);
  if (made) made_.emplace(key, *made);
  return made;
}

}  // namespace sluice::gpu
