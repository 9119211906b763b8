#pragma once

#include "sluice/core/cuda_abi.h"

#include <cstddef>
#include <cstdint>

namespace sluice::cuda {

std::size_t element_bytes(std::int32_t type);

inline std::ptrdiff_t offset_bytes(const sluice_cuda_view& view) {
  return static_cast<std::ptrdiff_t>(view.offset) *
         static_cast<std::ptrdiff_t>(element_bytes(view.type));
}

// Of the memory from the pointer of a run to the end of the view's last element; 0 of no elements.
// REQUIRES: no stride is negative.
std::size_t extent_bytes(const sluice_cuda_view& view);

std::int64_t element_count(const sluice_cuda_view& view);

// Where the view begins in the memory that a run names.
inline void* start_of(const sluice_cuda_view& view, void* memory) {
  return static_cast<std::byte*>(memory) + offset_bytes(view);
}

inline bool is_none(const sluice_cuda_activation& activation) { return activation.function < 0; }

// Whether it is `function` with nothing around it.
inline bool is_plain(const sluice_cuda_activation& activation, sluice_cuda_unary function) {
  return activation.function == function && activation.scale == 1 && activation.shift == 0;
}

}  // namespace sluice::cuda
