#pragma once

#include "sluice/core/buffer.h"
#include "sluice/core/device_program.h"
#include "sluice/nodes/infer/gpu/view.h"

#include <cstddef>
#include <string>
#include <vector>

namespace sluice::gpu {

// Which memory an operand lies in while a plan runs.
struct Place {
  enum class In : std::uint8_t { kNowhere, kConstant, kInput, kOutput, kArena };
  In in = In::kNowhere;
  std::size_t index = 0;   // of the constant, input or output
  std::size_t offset = 0;  // bytes into the arena

  friend bool operator==(const Place&, const Place&) = default;
};

// One operator, and where its operands begin.
struct Step {
  sluice_cuda_op op;
  std::vector<Place> inputs, outputs;
  std::string origin;  // the node of the model that it comes from
};

// A model for inputs of one shape, as operators for a device. Immutable; owns the constants of the
// device's memory, which plans of one model share.
struct GpuPlan {
  std::vector<Step> steps;
  std::vector<Buffer> constants;
  std::vector<TensorSpec> outputs;
  std::size_t arena_bytes = 0;
};

}  // namespace sluice::gpu
