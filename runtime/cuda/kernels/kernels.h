#pragma once

#include "sluice/runtime/cuda/operator.h"

namespace sluice::cuda {

// Our own kernels: one for every kind of operator there is, so that whatever the libraries do not
// take is computed nevertheless. Those for dense convolutions and products are simple and slow;
// the rest is limited by memory and meant to be used.
// Errors: unsupported, for types and ranks that there is no kernel for.
Made make_kernel(const sluice_cuda_op& op);

}  // namespace sluice::cuda
