#pragma once

#include "sluice/runtime/cuda/libraries/cudnn_graph.h"

#include <cstddef>

struct cublasLtContext;

namespace sluice::cuda {

// What a lane has for its operators. They run one after the other on one stream, or on streams that
// are ordered, since they share the workspace. Lifetime: outlives them.
struct LaneResources {
  CudnnTarget cudnn;  // with the size of the workspace, and what is allowed
  cublasLtContext* cublaslt = nullptr;
  void* workspace = nullptr;
  void* zeros = nullptr;  // `kZeroBytes` of them: the bias of what has none
  static constexpr std::size_t kZeroBytes = 64 << 10;

  // Whether it is a lane of a device. Otherwise one can only see what there would be.
  bool can_run() const { return cudnn.handle != nullptr; }
};

}  // namespace sluice::cuda
