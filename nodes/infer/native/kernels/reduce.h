#pragma once

#include "sluice/nodes/infer/native/kernels/types.h"

#include <cstdint>
#include <span>

namespace sluice::kernels {

enum class Reduce : std::uint8_t {
  kSum,
  kMean,
  kMax,
  kMin,
  kProd,
  kL1,
  kL2,
  kSumSquare,
  kLogSum,
  kLogSumExp
};

// Reduces over `axes` (each in 0..rank-1, none twice; empty = all axes). Whether reduced axes stay
// as 1 changes only the caller's shape: the output's bytes are the same. Over no elements: 0
// (sum-like), 1 (product), -inf or +inf (max, min), NaN (mean). T: float, std::int64_t,
// std::int32_t (integers: sum, mean, max, min, prod, l1, sum square).
template <class T>
void reduce(Reduce fn, Dims dims, std::span<const std::int64_t> axes, const T* input, T* output);

enum class Ties : std::uint8_t { kFirst, kLast };

// Over the middle axis of [outer, axis, inner]. T: float, std::int64_t, std::int32_t. NaN never
// wins.
template <class T>
void arg_max(std::int64_t outer, std::int64_t axis, std::int64_t inner, Ties ties, const T* input,
             std::int64_t* output);
template <class T>
void arg_min(std::int64_t outer, std::int64_t axis, std::int64_t inner, Ties ties, const T* input,
             std::int64_t* output);

// The k best along the middle axis of [outer, axis, inner], best first, ties by the lower index:
// values and indices are [outer, k, inner].
enum class TopKOrder : std::uint8_t { kLargest, kSmallest };
struct TopKParams {
  std::int64_t outer = 1, axis = 0, inner = 1, k = 1;  // 0 <= k <= axis
  TopKOrder order = TopKOrder::kLargest;
};
// `scratch`: `axis` indices.
template <class T>
void top_k(const TopKParams& params, const T* input, T* values, std::int64_t* indices,
           std::int64_t* scratch);

}  // namespace sluice::kernels
