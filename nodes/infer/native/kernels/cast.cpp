#include "sluice/nodes/infer/native/kernels/elementwise.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace sluice::kernels {
namespace {

struct Half {
  std::uint16_t bits;
};
struct BFloat {
  std::uint16_t bits;
};

float to_float(Half value) {
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
  const std::uint32_t exponent = value.bits >> 10 & 0x1fu, fraction = value.bits & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

float to_float(BFloat value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

// Round to nearest, ties to even.
Half to_half(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {static_cast<std::uint16_t>(sign | 0x7e00u)};
  if (magnitude >= 0x477ff000u) return {static_cast<std::uint16_t>(sign | 0x7c00u)};
  if (magnitude < 0x38800000u) {  // below 2^-14: a multiple of 2^-24
    const float scaled = std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24f);
    return {static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(scaled))};
  }
  const std::uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return {static_cast<std::uint16_t>(sign | ((rounded >> 13) - (112u << 10)))};
}

BFloat to_bfloat(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return {static_cast<std::uint16_t>(bits >> 16 | 0x40u)};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat>) {
    if constexpr (std::is_same_v<From, To>) {
      return value;
    } else {
      return convert<To>(to_float(value));
    }
  } else if constexpr (std::is_same_v<To, Half>) {
    return to_half(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, BFloat>) {
    return to_bfloat(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // 2^digits is exact in From, the largest To may not be.
    const From limit = std::ldexp(From(1), std::numeric_limits<To>::digits);
    if (std::isnan(value)) return 0;
    if (value >= limit) return std::numeric_limits<To>::max();
    if (value <= (std::is_signed_v<To> ? -limit : From(0))) return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

template <class From, class To>
void cast_all(std::int64_t count, const void* input, void* output) {
  const auto* from = static_cast<const From*>(input);
  auto* to = static_cast<To*>(output);
  for (std::int64_t i = 0; i < count; ++i) to[i] = convert<To>(from[i]);
}

template <class From>
void cast_from(DType to, std::int64_t count, const void* input, void* output) {
  switch (to) {
    case DType::kF32:
      return cast_all<From, float>(count, input, output);
    case DType::kF16:
      return cast_all<From, Half>(count, input, output);
    case DType::kBF16:
      return cast_all<From, BFloat>(count, input, output);
    case DType::kF64:
      return cast_all<From, double>(count, input, output);
    case DType::kI8:
      return cast_all<From, std::int8_t>(count, input, output);
    case DType::kI16:
      return cast_all<From, std::int16_t>(count, input, output);
    case DType::kI32:
      return cast_all<From, std::int32_t>(count, input, output);
    case DType::kI64:
      return cast_all<From, std::int64_t>(count, input, output);
    case DType::kU8:
      return cast_all<From, std::uint8_t>(count, input, output);
    case DType::kU16:
      return cast_all<From, std::uint16_t>(count, input, output);
    case DType::kU32:
      return cast_all<From, std::uint32_t>(count, input, output);
    case DType::kU64:
      return cast_all<From, std::uint64_t>(count, input, output);
    case DType::kBool:
      return cast_all<From, bool>(count, input, output);
  }
}

}  // namespace

void cast(DType from, DType to, std::int64_t count, const void* input, void* output) {
  if (from == to && input == output) return;
  switch (from) {
    case DType::kF32:
      return cast_from<float>(to, count, input, output);
    case DType::kF16:
      return cast_from<Half>(to, count, input, output);
    case DType::kBF16:
      return cast_from<BFloat>(to, count, input, output);
    case DType::kF64:
      return cast_from<double>(to, count, input, output);
    case DType::kI8:
      return cast_from<std::int8_t>(to, count, input, output);
    case DType::kI16:
      return cast_from<std::int16_t>(to, count, input, output);
    case DType::kI32:
      return cast_from<std::int32_t>(to, count, input, output);
    case DType::kI64:
      return cast_from<std::int64_t>(to, count, input, output);
    case DType::kU8:
      return cast_from<std::uint8_t>(to, count, input, output);
    case DType::kU16:
      return cast_from<std::uint16_t>(to, count, input, output);
    case DType::kU32:
      return cast_from<std::uint32_t>(to, count, input, output);
    case DType::kU64:
      return cast_from<std::uint64_t>(to, count, input, output);
    case DType::kBool:
      return cast_from<bool>(to, count, input, output);
  }
}

}  // namespace sluice::kernels
