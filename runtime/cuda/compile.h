#pragma once

#include "sluice/runtime/cuda/lane.h"

namespace sluice::cuda {

// Makes what computes an operator: cuDNN or cublasLt where they take it, else a kernel of our own.
// Of a convolution of single pixels cublasLt is asked first. Where the lane times, it is the
// fastest of the first ways of both. Blocks: for the device, where the lane times. Errors:
// unsupported, with what libraries and kernels say; those of the device.
Made compile(Lane& lane, const sluice_cuda_op& op);

// What compile() would choose untimed on a device that need not be there: `resources` without
// handles. For a convolution cuDNN has to have a plan; cublasLt cannot be asked, so that a product
// is taken to be its if its operands are what it takes.
Made check(const LaneResources& resources, const sluice_cuda_op& op);

}  // namespace sluice::cuda
