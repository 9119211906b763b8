#pragma once

#include "sluice/core/cuda_abi.h"

namespace sluice::cuda {

// The operators of a table like the plugin's, computed by our own kernels on the host, at once.
// Memory is the host's; devices and streams are not looked at. What is queued between
// capture_begin and capture_end of a lane is recorded and is not run.
const sluice_cuda_api& emulated_operators();

}  // namespace sluice::cuda
