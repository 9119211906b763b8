#pragma once

// What kernels written for CUDA need to be compiled as C++ and run on the host: the words of the
// language, and a scheduler that runs the threads of a block as fibres which take turns where they
// wait for one another. A block in which some threads wait and others cannot follow ends the
// program with a message, as it would hang or be wrong on a device.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <vector_types.h>

#include <cstdint>
#include <cstring>

#undef __shared__
#undef __launch_bounds__
#undef __restrict__
// The blocks of a grid run one after the other on the thread that launches.
#define __shared__ static thread_local
#define __launch_bounds__(...)
#define __restrict__ __restrict
#ifndef __grid_constant__
#define __grid_constant__
#endif

#define threadIdx (::sluice::cuda::emulated::place.thread)
#define blockIdx (::sluice::cuda::emulated::place.block)
#define blockDim (::sluice::cuda::emulated::place.threads)
#define gridDim (::sluice::cuda::emulated::place.blocks)
#define __syncthreads() ::sluice::cuda::emulated::wait_for_block(__LINE__)
#define __syncwarp() ::sluice::cuda::emulated::wait_for_warp(__LINE__)
#define __shfl_xor_sync(mask, value, lanes) \
  ::sluice::cuda::emulated::shuffle_xor(__LINE__, value, lanes)

namespace sluice::cuda::emulated {

struct Place {
  uint3 thread{}, block{};
  dim3 threads, blocks;
};
extern thread_local Place place;

void wait_for_block(int line);
void wait_for_warp(int line);
// The bits that the thread of the same warp whose lane differs by `lanes` gave.
std::uint64_t exchange(int line, std::uint64_t bits, int lanes);

template <class T>
T shuffle_xor(int line, T value, int lanes) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = exchange(line, bits, lanes);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

using Call = void (*)(const void* body);
void run_grid(dim3 blocks, dim3 threads, bool together, Call call, const void* body);

// Runs `body` once for each thread of the grid. `together`: a block's threads may wait for one
// another; else each runs to its end, which is a lot faster.
template <class Body>
void run_grid(dim3 blocks, dim3 threads, bool together, const Body& body) {
  run_grid(
      blocks, threads, together,
      [](const void* pointer) { (*static_cast<const Body*>(pointer))(); }, &body);
}

}  // namespace sluice::cuda::emulated
