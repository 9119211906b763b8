#pragma once

#include "sluice/core/cuda_abi.h"
#include "sluice/core/tensor.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// How tensors lie in a device's memory. Their axes are in the order that the graph has them in;
// where the elements lie is said by strides alone, so that a transposition or a slice is a view,
// and channels-last images are images whose channels have the stride 1.
namespace sluice::gpu {

using View = sluice_cuda_view;
using Dims = std::span<const std::int64_t>;

sluice_cuda_type type_of(DType dtype);
std::size_t bytes_of(std::int32_t type);  // of one element
bool is_float(std::int32_t type);         // of 16 or 32 bits

Dims dims_of(const View& view);
std::int64_t extent(Dims dims);  // their product
std::int64_t elements(const View& view);

// Row-major, without gaps.
View dense(std::int32_t type, Dims dims);
// Without gaps, [N,C,...] with C innermost. REQUIRES: rank 2 or more.
View channels_last(std::int32_t type, Dims dims);
// Without gaps, the axes in the order in which `like`, of the same rank, has them in memory.
View dense_like(std::int32_t type, Dims dims, const View& like);

// Whether the elements lie as `dense` and `channels_last` would lay them, wherever they start.
bool is_dense(const View& view);
bool is_channels_last(const View& view);
// Whether an element is there more than once.
bool repeats(const View& view);

// Axis i is axis order[i] of `view`.
View permuted(const View& view, Dims order);
// As numpy broadcasts. REQUIRES: it can be.
View broadcast(const View& view, Dims dims);
// The same elements in the same order under other extents; none where they do not lie so that
// strides could say it. REQUIRES: as many elements.
std::optional<View> reshaped(const View& view, Dims dims);
// Part of it along an axis, from element `start`.
View part(const View& view, std::size_t axis, std::int64_t start, std::int64_t extent);

}  // namespace sluice::gpu
