#pragma once

#include "sluice/runtime/cuda/operator.h"

// The one place where a kernel's source differs between the device and the host: where
// SLUICE_CUDA_EMULATED is set, plain C++ runs the blocks of a grid one after the other, so that
// tests prove the very same kernels on a machine without a GPU.
#ifdef SLUICE_CUDA_EMULATED
#include "emulated_cuda.h"  // of tests/support/cuda
#else
#include "sluice/runtime/cuda/error.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#endif

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

namespace sluice::cuda {

// Whether the threads of a block wait for one another, by __syncthreads or a shuffle.
enum class Threads : std::uint8_t { kAlone, kTogether };

struct Grid {
  dim3 blocks;
  dim3 threads;
};

// For kernels that take `count` pieces of work in a loop with the grid's stride.
inline Grid grid_for(std::int64_t count, int threads = 256) {
#ifdef SLUICE_CUDA_EMULATED
  const std::int64_t most = 3;  // so that the loop is a loop
#else
  const std::int64_t most = 132 * 16;  // what the largest GPU holds at once
#endif
  const std::int64_t blocks = (count + threads - 1) / threads;
  const auto used = static_cast<unsigned>(blocks < 1 ? 1 : blocks < most ? blocks : most);
  return {dim3(used), dim3(static_cast<unsigned>(threads))};
}

#ifdef SLUICE_CUDA_EMULATED
template <class... P, class... A>
Outcome launch(void (*kernel)(P...), Threads threads, Grid grid, CUstream_st*, A&&... arguments) {
  const std::tuple<P...> values(std::forward<A>(arguments)...);
  emulated::run_grid(grid.blocks, grid.threads, threads == Threads::kTogether,
                     [&] { std::apply(kernel, values); });
  return Outcome::ok();
}
#else
// Queues the kernel. An empty grid is an error of CUDA's: who launches has work.
template <class... P, class... A>
Outcome launch(void (*kernel)(P...), Threads, Grid grid, CUstream_st* stream, A&&... arguments) {
  std::tuple<P...> values(std::forward<A>(arguments)...);
  return std::apply(
      [&](P&... value) -> Outcome {
        void* pointers[] = {const_cast<void*>(static_cast<const void*>(&value))...};
        return outcome_of(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid.blocks,
                                           grid.threads, pointers, 0, stream),
                          "cudaLaunchKernel");
      },
      values);
}
#endif

// An operator of a function that launches.
template <class Body>
class KernelOperator final : public Operator {
 public:
  KernelOperator(const char* name, Body body) : name_(name), body_(std::move(body)) {}
  const char* name() const override { return name_; }
  Outcome run(CUstream_st* stream, const void* const* inputs, void* const* outputs) override {
    return body_(stream, inputs, outputs);
  }

 private:
  const char* name_;  // a literal
  Body body_;
};

template <class Body>
Made made(const char* name, Body body) {
  return {Outcome::ok(), std::make_unique<KernelOperator<Body>>(name, std::move(body))};
}

inline Made no_kernel(const char* why) { return {Outcome::unsupported(why), nullptr}; }

}  // namespace sluice::cuda
