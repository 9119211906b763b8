#pragma once

#include "sluice/runtime/cuda/lane_resources.h"
#include "sluice/runtime/cuda/libraries/product.h"

namespace sluice::cuda {

// Runs a product of `op`, and its tail. cublasLt tells nothing of a device that is not there: where
// the lane cannot run, there is one way, of which nothing is known.
// Errors: unsupported, those of the product among them; failed.
MadeLibraryOperator make_product(const LaneResources& lane, const sluice_cuda_op& op,
                                 Product product);

}  // namespace sluice::cuda
