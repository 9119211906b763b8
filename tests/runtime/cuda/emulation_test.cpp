#include "tests/support/cuda/emulated_cuda.h"
#include "tests/support/sanitizers.h"

#include <gtest/gtest.h>

#include <vector>

// What the emulation of CUDA itself must be trusted for.
namespace sluice::cuda::emulated {
namespace {

TEST(CudaEmulation, GivesEachThreadItsPlace) {
  std::vector<int> seen(2 * 3 * 4 * 5);

  run_grid(dim3(2, 3), dim3(4, 5), false, [&] {
    const unsigned block = blockIdx.y * gridDim.x + blockIdx.x;
    ++seen[(block * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x];
  });

  EXPECT_EQ(seen, std::vector<int>(seen.size(), 1));
}

TEST(CudaEmulation, OrdersWhatABarrierSeparates) {
  std::vector<int> shared(100), result(100);

  run_grid(dim3(1), dim3(100), true, [&] {
    const auto own = threadIdx.x;
    shared[own] = static_cast<int>(own);
    __syncthreads();
    result[own] = shared[99 - own];
    __syncthreads();
    shared[own] = -1;
  });

  for (int i = 0; i < 100; ++i) EXPECT_EQ(result[static_cast<std::size_t>(i)], 99 - i);
}

TEST(CudaEmulation, SumsAWarpByShuffles) {
  std::vector<float> result(64);

  run_grid(dim3(1), dim3(64), true, [&] {
    auto value = static_cast<float>(threadIdx.x);
    for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(~0u, value, lanes);
    result[threadIdx.x] = value;
  });

  EXPECT_EQ(result[5], 31 * 16);
  EXPECT_EQ(result[40], 31 * 16 + 32 * 32);
}

// A program that dies in a fibre is not one that every sanitizer follows.
#if !SLUICE_TEST_TSAN
using CudaEmulationDeathTest = testing::Test;

TEST(CudaEmulationDeathTest, EndsWhereAThreadDoesNotComeToTheBarrier) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run_grid(dim3(1), dim3(64), true,
                        [] {
                          if (threadIdx.x != 7) __syncthreads();
                        }),
               "do not come to the same place");
}

TEST(CudaEmulationDeathTest, EndsWhereThreadsWaitAtTwoBarriers) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run_grid(dim3(1), dim3(64), true,
                        [] {
                          if (threadIdx.x < 32) {
                            __syncthreads();
                          } else {
                            __syncthreads();
                          }
                        }),
               "do not come to the same place");
}

TEST(CudaEmulationDeathTest, EndsWhereAKernelWaitsThatWasSaidNotTo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(run_grid(dim3(1), dim3(64), false, [] { __syncthreads(); }), "does not");
}
#endif

}  // namespace
}  // namespace sluice::cuda::emulated
