#pragma once

#include "sluice/runtime/cuda/operator.h"

namespace sluice::cuda {

// Runs a kernel on the device that is the thread's, waits for it and looks at what it wrote: this
// is how one finds out that there is no machine code for a device. Blocks: for the device.
Outcome probe_device();

}  // namespace sluice::cuda
