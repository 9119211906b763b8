#pragma once

#include "sluice/runtime/cuda/kernels/launch.h"

#include <cmath>
#include <type_traits>

// One element and eight of them, from and to memory of any type.
namespace sluice::cuda {

using Half = __half;
using BFloat = __nv_bfloat16;

__host__ __device__ inline int bytes_of(int type) {
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

// Those that kernels compute with in f32.
inline bool is_small_float(int type) {
  return type == SLUICE_CUDA_F32 || type == SLUICE_CUDA_F16 || type == SLUICE_CUDA_BF16;
}

__device__ __forceinline__ float to_float(float value) { return value; }
__device__ __forceinline__ float to_float(Half value) { return __half2float(value); }
__device__ __forceinline__ float to_float(BFloat value) { return __bfloat162float(value); }

template <class T>
__device__ __forceinline__ T from_float(float value) {
  if constexpr (std::is_same_v<T, Half>) {
    return __float2half(value);
  } else if constexpr (std::is_same_v<T, BFloat>) {
    return __float2bfloat16(value);
  } else {
    return value;
  }
}

// Of a float: cut towards zero, the nearest there is beyond the edges, 0 of NaN, as the CPU's
// kernels have it. Of an integer: its low bits.
template <class To, class From>
__device__ __forceinline__ To to_integer(From value) {
  if constexpr (std::is_floating_point_v<From>) {
    constexpr int kDigits = 8 * sizeof(To) - (std::is_signed_v<To> ? 1 : 0);
    constexpr To kMost = static_cast<To>(~std::uint64_t{0} >> (64 - kDigits));
    constexpr To kLeast = std::is_signed_v<To> ? static_cast<To>(-kMost - 1) : To{0};
    constexpr From kLimit = static_cast<From>(std::uint64_t{1} << (kDigits - 1)) * 2;
    if (!(value == value)) return 0;
    if (value >= kLimit) return kMost;
    if (value <= (std::is_signed_v<To> ? -kLimit : From(0))) return kLeast;
  }
  return static_cast<To>(value);
}

template <class C>
__device__ inline C load_as(int type, const void* data, std::int64_t i) {
  switch (type) {
    case SLUICE_CUDA_F32:
      return static_cast<C>(static_cast<const float*>(data)[i]);
    case SLUICE_CUDA_F16:
      return static_cast<C>(to_float(static_cast<const Half*>(data)[i]));
    case SLUICE_CUDA_BF16:
      return static_cast<C>(to_float(static_cast<const BFloat*>(data)[i]));
    case SLUICE_CUDA_F64:
      return static_cast<C>(static_cast<const double*>(data)[i]);
    case SLUICE_CUDA_I8:
      return static_cast<C>(static_cast<const std::int8_t*>(data)[i]);
    case SLUICE_CUDA_I16:
      return static_cast<C>(static_cast<const std::int16_t*>(data)[i]);
    case SLUICE_CUDA_I32:
      return static_cast<C>(static_cast<const std::int32_t*>(data)[i]);
    case SLUICE_CUDA_I64:
      return static_cast<C>(static_cast<const std::int64_t*>(data)[i]);
    case SLUICE_CUDA_U16:
      return static_cast<C>(static_cast<const std::uint16_t*>(data)[i]);
    case SLUICE_CUDA_U32:
      return static_cast<C>(static_cast<const std::uint32_t*>(data)[i]);
    case SLUICE_CUDA_U64:
      return static_cast<C>(static_cast<const std::uint64_t*>(data)[i]);
    case SLUICE_CUDA_BOOL:
      return static_cast<C>(static_cast<const std::uint8_t*>(data)[i] != 0);
    default:
      return static_cast<C>(static_cast<const std::uint8_t*>(data)[i]);
  }
}

template <class C>
__device__ inline void store_as(int type, void* data, std::int64_t i, C value) {
  switch (type) {
    case SLUICE_CUDA_F32:
      static_cast<float*>(data)[i] = static_cast<float>(value);
      break;
    case SLUICE_CUDA_F16:
      static_cast<Half*>(data)[i] = __float2half(static_cast<float>(value));
      break;
    case SLUICE_CUDA_BF16:
      static_cast<BFloat*>(data)[i] = __float2bfloat16(static_cast<float>(value));
      break;
    case SLUICE_CUDA_F64:
      static_cast<double*>(data)[i] = static_cast<double>(value);
      break;
    case SLUICE_CUDA_I8:
      static_cast<std::int8_t*>(data)[i] = to_integer<std::int8_t>(value);
      break;
    case SLUICE_CUDA_I16:
      static_cast<std::int16_t*>(data)[i] = to_integer<std::int16_t>(value);
      break;
    case SLUICE_CUDA_I32:
      static_cast<std::int32_t*>(data)[i] = to_integer<std::int32_t>(value);
      break;
    case SLUICE_CUDA_I64:
      static_cast<std::int64_t*>(data)[i] = to_integer<std::int64_t>(value);
      break;
    case SLUICE_CUDA_U8:
      static_cast<std::uint8_t*>(data)[i] = to_integer<std::uint8_t>(value);
      break;
    case SLUICE_CUDA_U16:
      static_cast<std::uint16_t*>(data)[i] = to_integer<std::uint16_t>(value);
      break;
    case SLUICE_CUDA_U32:
      static_cast<std::uint32_t*>(data)[i] = to_integer<std::uint32_t>(value);
      break;
    case SLUICE_CUDA_U64:
      static_cast<std::uint64_t*>(data)[i] = to_integer<std::uint64_t>(value);
      break;
    default:
      static_cast<std::uint8_t*>(data)[i] = value != C(0) ? 1 : 0;
      break;
  }
}

// Of the three small floats only, for kernels that are limited by something else than the switch.
__device__ __forceinline__ float load_float(int type, const void* data, std::int64_t i) {
  if (type == SLUICE_CUDA_F32) return static_cast<const float*>(data)[i];
  if (type == SLUICE_CUDA_F16) return to_float(static_cast<const Half*>(data)[i]);
  return to_float(static_cast<const BFloat*>(data)[i]);
}

__device__ __forceinline__ void store_float(int type, void* data, std::int64_t i, float value) {
  if (type == SLUICE_CUDA_F32) {
    static_cast<float*>(data)[i] = value;
  } else if (type == SLUICE_CUDA_F16) {
    static_cast<Half*>(data)[i] = __float2half(value);
  } else {
    static_cast<BFloat*>(data)[i] = __float2bfloat16(value);
  }
}

// Eight neighbours at once. 16 bytes of memory travel in one instruction.
constexpr int kPack = 8;

template <class T>
struct alignas(16) Sixteen {
  T values[16 / sizeof(T)];
};

template <class T>
__device__ __forceinline__ void load_pack(const T* data, float (&values)[kPack]) {
  constexpr int kEach = 16 / static_cast<int>(sizeof(T));
#pragma unroll
  for (int part = 0; part < kPack / kEach; ++part) {
    const auto loaded = reinterpret_cast<const Sixteen<T>*>(data)[part];
#pragma unroll
    for (int i = 0; i < kEach; ++i) values[part * kEach + i] = to_float(loaded.values[i]);
  }
}

template <class T>
__device__ __forceinline__ void store_pack(T* data, const float (&values)[kPack]) {
  constexpr int kEach = 16 / static_cast<int>(sizeof(T));
#pragma unroll
  for (int part = 0; part < kPack / kEach; ++part) {
    Sixteen<T> stored;
#pragma unroll
    for (int i = 0; i < kEach; ++i) stored.values[i] = from_float<T>(values[part * kEach + i]);
    reinterpret_cast<Sixteen<T>*>(data)[part] = stored;
  }
}

__device__ __forceinline__ void load_pack(int type, const void* data, std::int64_t i,
                                          float (&values)[kPack]) {
  if (type == SLUICE_CUDA_F32) {
    load_pack(static_cast<const float*>(data) + i, values);
  } else if (type == SLUICE_CUDA_F16) {
    load_pack(static_cast<const Half*>(data) + i, values);
  } else {
    load_pack(static_cast<const BFloat*>(data) + i, values);
  }
}

__device__ __forceinline__ void store_pack(int type, void* data, std::int64_t i,
                                           const float (&values)[kPack]) {
  if (type == SLUICE_CUDA_F32) {
    store_pack(static_cast<float*>(data) + i, values);
  } else if (type == SLUICE_CUDA_F16) {
    store_pack(static_cast<Half*>(data) + i, values);
  } else {
    store_pack(static_cast<BFloat*>(data) + i, values);
  }
}

}  // namespace sluice::cuda
