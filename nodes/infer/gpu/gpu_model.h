#pragma once

#include "sluice/core/device.h"
#include "sluice/nodes/infer/gpu/constants.h"
#include "sluice/nodes/infer/gpu/plan_source.h"
#include "sluice/nodes/infer/graph/plan_cache.h"

#include <memory>
#include <span>
#include <string>

namespace sluice::gpu {

// What products are computed in, and what lies between operators.
enum class Arithmetic : std::uint8_t { kFp32, kTf32, kFp16, kBf16 };
std::string_view to_string(Arithmetic arithmetic);

// A model for one device: its weights there, and the plans for the shapes that came, shared by all
// lanes. Threads: thread-safe. Lifetime: keeps its device, and what owns the graph, alive.
class GpuModel final : public PlanSource {
 public:
  // `graph` after the passes.
  GpuModel(std::shared_ptr<const graph::Graph> graph, std::shared_ptr<Device> device,
           Arithmetic arithmetic);

  Device& device() const override { return *device_; }
  bool allows_tf32() const override { return arithmetic_ != Arithmetic::kFp32; }
  std::uint64_t workspace_bytes() const override { return std::uint64_t{32} << 20; }
  Arithmetic arithmetic() const { return arithmetic_; }
  // The plan for inputs like these, in the host's memory; made now unless there was one before.
  // Errors: infer.shape, infer.values, infer.unsupported; those of the device. Blocks: on the
  // device, for constants that are not there yet.
  Result<std::shared_ptr<const GpuPlan>> plan_for(std::span<const Tensor> inputs) override;

 private:
  const std::shared_ptr<const graph::Graph> graph_;
  const std::shared_ptr<Device> device_;
  const Arithmetic arithmetic_;
  const graph::PlanInputs plan_inputs_;
  Constants constants_;
  graph::PlanCache<GpuPlan> plans_;
};

}  // namespace sluice::gpu
