#pragma once

#include "sluice/core/device_program.h"

#include <span>
#include <vector>

namespace sluice::gpu {

// What the program makes of these inputs, in the host's memory both, on a stream of its own.
// Blocks: until it is done. Errors: those of the program and of the device.
Result<std::vector<Tensor>> run_once(Device& device, DeviceProgram& program,
                                     std::span<const Tensor> inputs);

}  // namespace sluice::gpu
