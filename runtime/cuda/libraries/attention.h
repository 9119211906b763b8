#pragma once

#include "sluice/runtime/cuda/lane_resources.h"
#include "sluice/runtime/cuda/tail.h"

namespace sluice::cuda {

// An OP_ATTENTION by cuDNN: f16 and bf16, heads of a multiple of 8 numbers that lie side by side.
// It is compiled at run time, within a second, which needs NVRTC beside cuDNN. Errors: unsupported,
// with cuDNN's message.
MadeLibraryOperator make_attention(const LaneResources& lane, const sluice_cuda_op& op);

}  // namespace sluice::cuda
