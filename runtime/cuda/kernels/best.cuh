#pragma once

#include "sluice/runtime/cuda/kernels/lines.cuh"

// Which of a line's elements comes first, for places of extremes and for the first k.
namespace sluice::cuda {

struct Contest {
  Lines lines;
  std::int32_t largest;
  std::int32_t select_last;  // of equal ones the one with the higher index
};

template <class C>
struct Best {
  C value;
  std::int64_t index;  // -1: none
};

template <class C>
__device__ __forceinline__ Best<C> none() {
  return {C(0), -1};
}

template <class C>
__device__ __forceinline__ Best<C> exchange_lanes(const Best<C>& best, int lanes) {
  Best<C> other;
  other.value = exchange_lanes(best.value, lanes);
  // shuffles take long long, which is not what std::int64_t is
  other.index = exchange_lanes(static_cast<long long>(best.index), lanes);
  return other;
}

// Whether `a` comes before `b`. A NaN is greater than anything, and less than anything where the
// smallest is asked for: it is what numpy finds either way.
template <class C>
__device__ __forceinline__ bool precedes(const Contest& work, const Best<C>& a, const Best<C>& b) {
  const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  if (a_nan != b_nan) return a_nan;
  if (!a_nan && a.value != b.value) return (a.value > b.value) == (work.largest != 0);
  return (a.index < b.index) == (work.select_last == 0);
}

template <class C>
__device__ __forceinline__ Best<C> better(const Contest& work, const Best<C>& a, const Best<C>& b) {
  if (a.index < 0) return b;
  if (b.index < 0) return a;
  return precedes(work, a, b) ? a : b;
}

template <class C>
__device__ __forceinline__ Best<C> candidate(const Lines& lines, std::int64_t start,
                                             std::int64_t i) {
  return {load_as<C>(lines.in.type, lines.in.data, start + i * lines.in.strides[1]), i};
}

}  // namespace sluice::cuda
