#pragma once

#include "sluice/runtime/cuda/lane.h"
#include "sluice/runtime/cuda/library_operator.h"

#include <memory>
#include <span>

namespace sluice::cuda {

// Which of `candidates`, in which of their ways, computes `op` the fastest: the first ways of each
// that there are, timed on a stream and with memory of their own, so that work of the lane's may be
// under way. What the lane's plan cache knows is not timed again. The one that is returned has its
// way selected. One process times one operator at a time. Where timing fails, for want of memory
// say, it is the first one's first way.
// Errors: unsupported, if no way can be selected; a lost device. Blocks: for the device.
Made fastest(const sluice_cuda_op& op, const std::string& question,
             std::span<std::unique_ptr<LibraryOperator>> candidates, Lane& lane);

// The first way there is of the first candidate that has one.
Made first_way(std::span<std::unique_ptr<LibraryOperator>> candidates);

}  // namespace sluice::cuda
