#pragma once

#include "sluice/core/cuda_abi.h"

#include <cstddef>
#include <map>
#include <set>
#include <string>

namespace sluice::testing {

// The plugin's table without a GPU: its streams do their work at once, its memory is the host's,
// and any of its functions fails when it is told to. One at a time, since the table's functions
// know no object. Threads: one thread at a time.
class FakeCuda {
 public:
  FakeCuda();
  ~FakeCuda();
  FakeCuda(const FakeCuda&) = delete;
  FakeCuda& operator=(const FakeCuda&) = delete;

  const sluice_cuda_api& api() const { return api_; }

  // Every call of the function from here on gives that; SLUICE_CUDA_OK: it works again.
  void answer(const std::string& function, int result) { answers_[function] = result; }
  // Of each function, and of all: how often it was called.
  int calls(const std::string& function) const;
  int calls() const;
  int last_device() const { return last_device_; }
  // Blocks, streams and events that were made and not given back.
  std::size_t left() const { return memory_.size() + objects_.size(); }
  std::size_t pinned_blocks() const;

 private:
  struct Table;
  int count(const char* function, int device);

  sluice_cuda_api api_{};
  std::map<std::string, int> answers_;
  std::map<std::string, int> calls_;
  int last_device_ = -1;
  std::map<void*, bool> memory_;  // whether it is pinned
  std::set<void*> objects_;
  std::string last_error_;
};

}  // namespace sluice::testing
