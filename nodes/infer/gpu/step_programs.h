#pragma once

#include "sluice/core/device_program.h"
#include "sluice/core/resolve.h"
#include "sluice/nodes/infer/gpu/gpu_plan.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

// What nodes need that compute one step on a device: a picture made into a tensor, a softmax.
namespace sluice::gpu {

// One step of a node, for any number of items, which are the outermost axis of its tensors.
// Threads: thread-safe.
class DeviceStep {
 public:
  virtual ~DeviceStep() = default;
  // The operators that compute it, by the types and shapes of the inputs alone.
  virtual Result<GpuPlan> plan(std::span<const Tensor> inputs) const = 0;
  // The same in the host's memory, by the node's own code, for devices that have no operators.
  virtual Status compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs) const = 0;
};

// The step as programs for so many lanes of the device. Errors: those of the device.
Result<std::vector<std::shared_ptr<DeviceProgram>>> make_step_programs(
    std::shared_ptr<const DeviceStep> step, const std::string& name, Device& device,
    std::size_t lanes);

// How a node with such a step puts items together: any number of them.
constexpr Stacking step_stacking(bool takes_unseen, bool gives_unseen) {
  return {std::numeric_limits<std::int64_t>::max(), false, takes_unseen, gives_unseen};
}

// A plan of one operator, whose operands are the inputs and the outputs in their order.
GpuPlan plan_of(const sluice_cuda_op& op, std::vector<TensorSpec> outputs, std::string origin);

}  // namespace sluice::gpu
