#pragma once

#include "sluice/core/cuda_abi.h"

namespace sluice::cuda {

// Fills in the part of the table that is about devices, memory, streams and events.
void add_devices(sluice_cuda_api& api);

}  // namespace sluice::cuda
