#include "tests/gpu/support/empty_kernel.h"

#include <cuda_runtime_api.h>

namespace sluice::gpu_suite {
namespace {

__global__ void empty_kernel() {}

}  // namespace

cudaError_t launch_empty_kernel(cudaStream_t stream) {
  empty_kernel<<<1, 1, 0, stream>>>();
  return cudaGetLastError();
}

}  // namespace sluice::gpu_suite
