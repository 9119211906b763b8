#pragma once

#include "sluice/runtime/cuda/kernels/element.cuh"
#include "sluice/runtime/cuda/kernels/space.h"

#include <algorithm>

// What kernels share that move bytes and do not look at them.
namespace sluice::cuda {

struct alignas(16) Bytes16 {
  std::uint64_t low, high;
};

// Calls `f` with a number of the size of an element.
template <class F>
Outcome with_element(int bytes, F f) {
  switch (bytes) {
    case 1:
      return f(std::uint8_t{});
    case 2:
      return f(std::uint16_t{});
    case 4:
      return f(std::uint32_t{});
    default:
      return f(std::uint64_t{});
  }
}

// The same, up to 16 bytes.
template <class F>
Outcome with_bytes(int bytes, F f) {
  return bytes == 16 ? f(Bytes16{}) : with_element(bytes, f);
}

// The size of the elements, a power of two up to 16, that rows of `extent` elements of `bytes` can
// be moved in, given where they begin on both sides.
inline int widest(int bytes, std::int64_t extent, const Operand& in, const Operand& out, int rank,
                  int inner) {
  if (in.strides[inner] != 1 || out.strides[inner] != 1) return bytes;
  int width = 1;
  while (bytes * width < 16 && extent % (2 * width) == 0 &&
         is_aligned(in.data, bytes, in.strides, rank, inner, 2 * width) &&
         is_aligned(out.data, bytes, out.strides, rank, inner, 2 * width))
    width *= 2;
  return bytes * width;
}

// Strides in elements that are `width` times as large. REQUIRES: that of `inner` is 1.
inline void widen(Operand& operand, int rank, int inner, int width) {
  for (int axis = 0; axis < rank; ++axis) {
    if (axis != inner) operand.strides[axis] /= width;
  }
}

}  // namespace sluice::cuda
