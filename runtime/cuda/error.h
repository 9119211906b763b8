#pragma once

#include "sluice/runtime/cuda/operator.h"

#include <cuda_runtime_api.h>

#include <cstddef>
#include <exception>
#include <new>
#include <string>
#include <string_view>

namespace sluice::cuda {

// What a call of CUDA's came to: "cudaMalloc of 1.2 GB: out of memory (2:
// cudaErrorMemoryAllocation)". `call` says which one it was, and of what. Leaves no error behind
// for the next call to find.
Outcome outcome_of(cudaError_t error, std::string_view call);

// "1.2 GB", for messages.
std::string size_text(std::size_t bytes);

// What a function of the table gives for an outcome; keeps its message for `last_error` of this
// thread.
int report(Outcome outcome);
const char* last_error();

// Runs what a function of the table does, and reports it. Nothing is thrown out of the plugin.
template <class F>
int reported(F&& function) noexcept {
  try {
    return report(function());
  } catch (const std::bad_alloc&) {
    return SLUICE_CUDA_OUT_OF_MEMORY;
  } catch (const std::exception& thrown) {
    return report(Outcome::failed(thrown.what()));
  }
}

}  // namespace sluice::cuda
