#pragma once

#include <driver_types.h>

namespace sluice::gpu_suite {

// Queues a kernel that does nothing.
cudaError_t launch_empty_kernel(cudaStream_t stream);

}  // namespace sluice::gpu_suite
