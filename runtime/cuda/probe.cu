#include "sluice/runtime/cuda/error.h"
#include "sluice/runtime/cuda/probe.h"

#include <cuda_runtime.h>

namespace sluice::cuda {
namespace {

constexpr int kWritten = 1031;

__global__ void write_number(int* where) { *where = kWritten; }

// Of the device, and gone with it.
struct Number {
  ~Number() {
    if (place != nullptr) cudaFree(place);
  }
  int* place = nullptr;
};

}  // namespace

Outcome probe_device() {
  Number number;
  cudaError_t error = cudaMalloc(reinterpret_cast<void**>(&number.place), sizeof(int));
  if (error != cudaSuccess) return outcome_of(error, "cudaMalloc of 4 bytes");
  write_number<<<1, 1, 0, cudaStreamPerThread>>>(number.place);
  error = cudaGetLastError();
  if (error != cudaSuccess) return outcome_of(error, "launch of a kernel");
  int written = 0;
  error = cudaMemcpyAsync(&written, number.place, sizeof(written), cudaMemcpyDeviceToHost,
                          cudaStreamPerThread);
  if (error != cudaSuccess) return outcome_of(error, "cudaMemcpyAsync of 4 bytes");
  error = cudaStreamSynchronize(cudaStreamPerThread);
  if (error != cudaSuccess) return outcome_of(error, "waiting for a kernel");
  if (written != kWritten) {
    return Outcome::failed("a kernel ran and did not write what it should: " +
                           std::to_string(written));
  }
  return Outcome::ok();
}

}  // namespace sluice::cuda
