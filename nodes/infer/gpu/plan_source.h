#pragma once

#include "sluice/core/device.h"
#include "sluice/nodes/infer/gpu/gpu_plan.h"

#include <cstdint>
#include <memory>
#include <span>

namespace sluice::gpu {

// What makes of inputs the operators that a device computes: a model, or one step of a node's own.
// All lanes share it. Threads: thread-safe.
class PlanSource {
 public:
  virtual ~PlanSource() = default;
  virtual Device& device() const = 0;
  // Whether products of f32 may be computed in TF32.
  virtual bool allows_tf32() const = 0;
  // What libraries may use of the device's memory beside operands, in each lane; above 0.
  virtual std::uint64_t workspace_bytes() const = 0;
  // The plan for inputs like these, which may lie anywhere; the same one for as long as it is kept.
  virtual Result<std::shared_ptr<const GpuPlan>> plan_for(std::span<const Tensor> inputs) = 0;
};

}  // namespace sluice::gpu
