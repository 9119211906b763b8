#pragma once

#include <cstddef>

namespace sluice {

// Of each tensor in a block of a device's memory, as kernels like it.
inline constexpr std::size_t kTensorAlignment = 256;
// What a program may rely on for its inputs and outputs (cuda_abi.h).
inline constexpr std::size_t kOperandAlignment = 16;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

}  // namespace sluice
