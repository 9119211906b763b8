#pragma once

#include "sluice/runtime/cuda/kernels/launch.h"

#include <initializer_list>

// The elements that a kernel goes over, and where they lie in each operand.
namespace sluice::cuda {

constexpr int kMaxRank = SLUICE_CUDA_MAX_RANK;

// Division of numbers below 2^31 by a multiplication: Granlund and Montgomery, "Division by
// invariant integers using multiplication" (1994), figure 4.1, for 31 bits.
struct Divider {
  std::uint32_t divisor = 1, multiplier = 0, shift = 0;

  Divider() = default;
  explicit Divider(std::uint32_t by) : divisor(by) {
    while (shift < 31 && (std::uint32_t{1} << shift) < by) ++shift;
    multiplier = static_cast<std::uint32_t>(
        (std::uint64_t{1} << 32) * ((std::uint64_t{1} << shift) - by) / by + 1);
  }
  __device__ __forceinline__ std::uint32_t divide(std::uint32_t value) const {
#ifdef __CUDA_ARCH__
    const std::uint32_t high = __umulhi(value, multiplier);
#else
    const auto high = static_cast<std::uint32_t>(std::uint64_t{value} * multiplier >> 32);
#endif
    return (high + value) >> shift;
  }
};

// Row-major positions of a box.
struct Space {
  std::int32_t rank = 0;
  std::int32_t wide = 0;  // whether positions need 64 bits
  std::int64_t count = 1;
  Divider divider[kMaxRank];
  std::int64_t dims[kMaxRank] = {};

  Space() = default;
  Space(const std::int64_t* extents, int axes) : rank(axes) {
    for (int axis = 0; axis < axes; ++axis) {
      dims[axis] = extents[axis];
      count *= extents[axis];
    }
    wide = count >= (std::int64_t{1} << 31) ? 1 : 0;
    for (int axis = 0; axis < axes && !wide && count > 0; ++axis)
      divider[axis] = Divider(static_cast<std::uint32_t>(extents[axis]));
  }
  Space(std::initializer_list<std::int64_t> extents)
      : Space(extents.begin(), static_cast<int>(extents.size())) {}

  // Takes the index along `axis` off a position: what is left counts the axes before it.
  __device__ __forceinline__ std::int64_t take(std::int64_t& position, int axis) const {
    if (wide) {
      const std::int64_t rest = position / dims[axis];
      const std::int64_t index = position - rest * dims[axis];
      position = rest;
      return index;
    }
    const auto value = static_cast<std::uint32_t>(position);
    const std::uint32_t rest = divider[axis].divide(value);
    position = rest;
    return value - rest * divider[axis].divisor;
  }

  // The sum of index times stride.
  __device__ __forceinline__ std::int64_t offset(std::int64_t position,
                                                 const std::int64_t* strides) const {
    std::int64_t sum = 0;
    for (int axis = rank - 1; axis > 0; --axis) sum += take(position, axis) * strides[axis];
    return rank > 0 ? sum + position * strides[0] : 0;
  }
};

// A view's memory, as a kernel gets it. The pointer is set for each run.
struct Operand {
  void* data = nullptr;  // element 0 of the view
  std::int32_t type = 0;
  std::int64_t strides[kMaxRank] = {};
};

inline std::int64_t count_of(const sluice_cuda_view& view) {
  std::int64_t count = 1;
  for (int axis = 0; axis < view.rank; ++axis) count *= view.dims[axis];
  return count;
}

void* at(const void* data, const sluice_cuda_view& view);

// Views of equal dims without what makes no difference: axes of extent 1 are dropped, the axes are
// put into the order in which the first view lies in memory, and neighbours that every view passes
// over in one stride become one.
struct Collapsed {
  int rank = 0;
  std::int64_t dims[kMaxRank] = {};
  std::int64_t strides[SLUICE_CUDA_MAX_OPERANDS + 1][kMaxRank] = {};

  Space space() const { return Space(dims, rank); }
};
enum class Order : std::uint8_t { kOfMemory, kAsGiven };
Collapsed collapse(std::initializer_list<const sluice_cuda_view*> views,
                   Order order = Order::kOfMemory);
Collapsed collapse(const sluice_cuda_view* const* views, int count, Order order);

// Whether every address that a vector of `width` elements of this type would begin at is a multiple
// of the vector's size, or of 16 if that is less; `inner` is the axis along which they lie.
bool is_aligned(const void* data, int element_bytes, const std::int64_t* strides, int rank,
                int inner, int width);

}  // namespace sluice::cuda
