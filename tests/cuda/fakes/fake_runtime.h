#pragma once

#include <cuda_runtime_api.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

// The functions of the CUDA runtime, cuDNN and cublasLt that lanes call, on the host, where memory
// is the host's and time is a number: what is left open, and what any call's failure does, can be
// seen.
namespace sluice::cuda::testing {

struct FakeRuntime {
  std::map<void*, std::unique_ptr<std::byte[]>> blocks;  // of memory
  std::set<const void*> open;                            // streams, events, handles and graphs
  std::vector<std::string> calls;
  float now_ms = 0;  // what a run advances
  bool is_capturing = false;
  // The call with this number fails, counted from 0; and what with.
  int failing_call = -1;
  cudaError_t failure = cudaErrorUnknown;

  bool is_clean() const { return blocks.empty() && open.empty() && !is_capturing; }
  // Notes a call, and says how it goes.
  cudaError_t call(const char* name);
};

// Of the test that runs.
FakeRuntime& fake_runtime();

}  // namespace sluice::cuda::testing
