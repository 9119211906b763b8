#pragma once

#include "sluice/core/device_program.h"
#include "sluice/core/model.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

struct DevicePrograms {
  std::vector<std::shared_ptr<DeviceProgram>> programs;
  std::string arithmetic;  // "fp16 (0.0008 from fp32 on the CPU)"
};

// Which tensors the programs will get, as far as that is known before the run.
struct ExpectedRun {
  std::vector<Shape> inputs;  // with the largest batch; none: not known
};

// The model as programs for so many lanes of a device: its operators where the device computes
// such, else sessions of the model. `precision` is the word of the option; `auto` takes fp16 where
// a trial run stays close enough to the CPU's fp32, else tf32. What computes the expected run the
// fastest is chosen here, where the device computes operators; for others when they come.
// REQUIRES: for a device that computes operators, a model of the backend `native`.
// Errors: those of the device. Blocks: for the trial run, and for what is chosen.
Result<DevicePrograms> make_device_programs(const std::shared_ptr<const Model>& model,
                                            const std::string& name, Device& device,
                                            std::string_view precision, std::size_t lanes,
                                            const ExpectedRun& expected);

}  // namespace sluice
