#pragma once

#include "sluice/runtime/cuda/lane_resources.h"
#include "sluice/runtime/cuda/library_operator.h"

#include <vector>

namespace sluice::cuda {

// Where an operand of a graph is: one of the operator's inputs, or one of these.
constexpr int kOutput = -1;
constexpr int kZeros = -2;  // the lane's

// A view as cuDNN's; of a dim of 1 the stride is made what it would be in a dense tensor with the
// channels last, since cuDNN looks at those, too.
CudnnTensor cudnn_tensor(const sluice_cuda_view& view);

// Runs a graph. `kind` is for its name: "cudnn conv engine 58".
std::unique_ptr<LibraryOperator> cudnn_operator(const LaneResources& lane, const char* kind,
                                                const sluice_cuda_op& op,
                                                std::unique_ptr<CudnnGraph> graph,
                                                std::vector<int> operands);

}  // namespace sluice::cuda
