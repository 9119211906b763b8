#pragma once

#include "sluice/core/device_program.h"
#include "sluice/core/node.h"
#include "sluice/nodes/infer/gpu/gpu_plan.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

// What nodes need that compute one step on a device: a picture made into a tensor, a softmax.
namespace sluice::gpu {

// One step of a node. Threads: thread-safe.
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

// A plan of one operator, whose operands are the inputs and the outputs in their order.
GpuPlan plan_of(const sluice_cuda_op& op, std::vector<TensorSpec> outputs, std::string origin);

// Which run is which item's, between begin_batch and end_batch, where each item has one or none.
class ItemRuns {
 public:
  void open(std::size_t workers) { items_.resize(workers); }

  // `input(item)` gives an item's input, none where the item needs no run, or why it is rejected.
  template <class Input>
  std::vector<DeviceRun> begin(const Context& ctx, std::span<Item> items, Input input) {
    std::vector<std::size_t>& mine = items_[ctx.worker()];
    std::vector<DeviceRun> runs;
    mine.clear();
    for (std::size_t i = 0; i < items.size(); ++i) {
      Result<std::optional<Tensor>> made = input(items[i]);
      if (!made) {
        items[i].set_status(made.status());
      } else if (*made) {
        mine.push_back(i);
        runs.emplace_back().inputs.push_back(std::move(**made));
      }
    }
    return runs;
  }

  // `finish(item, outputs)` emits what came of an item's run, or says why it is rejected.
  template <class Finish>
  void end(const Context& ctx, std::span<Item> items, std::span<DeviceRun> runs, Finish finish) {
    const std::vector<std::size_t>& mine = items_[ctx.worker()];
    for (std::size_t r = 0; r < runs.size(); ++r) {
      Item& item = items[mine[r]];
      for (const Tensor& output : runs[r].outputs) item.count_allocated(output.size_bytes());
      item.set_status(runs[r].status.is_ok() ? finish(item, runs[r].outputs) : runs[r].status);
    }
  }

 private:
  std::vector<std::vector<std::size_t>> items_;  // by worker
};

}  // namespace sluice::gpu
