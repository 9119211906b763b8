#pragma once

#include "sluice/core/cuda_abi.h"
#include "sluice/core/status.h"

namespace sluice {

// What a function of the plugin's table gave, as a Status with what `last_error` says of it; asked
// on the thread that called, right after. NOT_READY is a failure here: it has a meaning only where
// an event was asked.
// Errors: memory.exhausted, device.unsupported, device.failed, and device.lost when the device is.
Status cuda_status(const sluice_cuda_api& api, int result);

}  // namespace sluice
