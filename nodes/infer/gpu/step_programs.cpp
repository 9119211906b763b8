#include "sluice/nodes/infer/gpu/step_programs.h"

#include "sluice/nodes/infer/gpu/gpu_program.h"

#include <map>
#include <mutex>

namespace sluice::gpu {
namespace {

// The plans of a step, by the inputs' types and extents.
class StepPlans final : public PlanSource {
 public:
  StepPlans(std::shared_ptr<const DeviceStep> step, std::shared_ptr<Device> device)
      : step_(std::move(step)), device_(std::move(device)) {}

  Device& device() const override { return *device_; }
  bool allows_tf32() const override { return false; }
  // No library is asked.
  std::uint64_t workspace_bytes() const override { return 1; }
  const DeviceStep& step() const { return *step_; }

  Result<std::shared_ptr<const GpuPlan>> plan_for(std::span<const Tensor> inputs) override {
    constexpr std::size_t kKept = 1024;  // plans remembered; then it begins anew
    std::vector<std::int64_t> key;
    for (const Tensor& input : inputs) {
      key.push_back(static_cast<std::int64_t>(input.dtype()));
      key.push_back(static_cast<std::int64_t>(input.shape().rank()));
      key.insert(key.end(), input.shape().begin(), input.shape().end());
    }
    const std::scoped_lock lock(mutex_);
    if (const auto found = plans_.find(key); found != plans_.end()) return found->second;
    Result<GpuPlan> made = step_->plan(inputs);
    if (!made) return made.status();
    if (plans_.size() >= kKept) plans_.clear();
    return plans_.emplace(std::move(key), std::make_shared<const GpuPlan>(std::move(*made)))
        .first->second;
  }

 private:
  const std::shared_ptr<const DeviceStep> step_;
  const std::shared_ptr<Device> device_;
  std::mutex mutex_;
  std::map<std::vector<std::int64_t>, std::shared_ptr<const GpuPlan>> plans_;
};

// A step on a device whose memory the host can reach, and that has no operators.
class HostProgram final : public DeviceProgram {
 public:
  HostProgram(std::shared_ptr<StepPlans> plans, std::string name)
      : plans_(std::move(plans)), name_(std::move(name)) {}

  std::string_view name() const override { return name_; }
  Result<Plan> plan(std::span<const Tensor> inputs) override {
    Result<std::shared_ptr<const GpuPlan>> made = plans_->plan_for(inputs);
    if (!made) return made.status();
    return Plan{(*made)->outputs, 0, nullptr};
  }
  Status run(const Run& run) override { return plans_->step().compute(run.inputs, run.outputs); }

 private:
  const std::shared_ptr<StepPlans> plans_;
  const std::string name_;
};

}  // namespace

Result<std::vector<std::shared_ptr<DeviceProgram>>> make_step_programs(
    std::shared_ptr<const DeviceStep> step, const std::string& name, Device& device,
    std::size_t lanes) {
  const auto plans = std::make_shared<StepPlans>(std::move(step), device.shared_from_this());
  std::vector<std::shared_ptr<DeviceProgram>> programs;
  for (std::size_t i = 0; i < lanes; ++i) {
    if (device.operators() == nullptr) {
      programs.push_back(std::make_shared<HostProgram>(plans, name));
      continue;
    }
    Result<std::shared_ptr<DeviceProgram>> program = GpuProgram::create(plans, name, "");
    if (!program) return program.status();
    programs.push_back(std::move(*program));
  }
  return programs;
}

GpuPlan plan_of(const sluice_cuda_op& op, std::vector<TensorSpec> outputs, std::string origin) {
  Step step;
  step.op = op;
  step.origin = std::move(origin);
  for (std::int32_t i = 0; i < op.inputs; ++i) {
    step.inputs.push_back({Place::In::kInput, static_cast<std::size_t>(i), 0});
  }
  for (std::int32_t i = 0; i < op.outputs; ++i) {
    step.outputs.push_back({Place::In::kOutput, static_cast<std::size_t>(i), 0});
  }
  GpuPlan plan;
  plan.steps.push_back(std::move(step));
  plan.outputs = std::move(outputs);
  return plan;
}

}  // namespace sluice::gpu
