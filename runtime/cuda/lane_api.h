#pragma once

#include "sluice/core/cuda_abi.h"

namespace sluice::cuda {

// Fills in the part of the table that is about operators.
void add_operators(sluice_cuda_api& api);

}  // namespace sluice::cuda
