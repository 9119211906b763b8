#include "sluice/nodes/infer/native/native_session.h"

#include "sluice/nodes/infer/native/bound_plan.h"
#include "sluice/nodes/infer/session_inputs.h"

namespace sluice::native {

Status NativeSession::take(std::span<const Tensor> inputs,
                           const std::shared_ptr<MemoryBudget>& budget) {
  const std::vector<ModelPort>& ports = model_->inputs();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    // That there are too many is found where their shapes are looked at.
    Result<Tensor> input = i < ports.size() ? contiguous_input(ports[i], inputs[i], budget)
                                            : Result<Tensor>(inputs[i]);
    if (!input) return input.status();
    inputs_.push_back(std::move(*input));
  }
  return Status::ok();
}

// Memory for the run.
Status NativeSession::prepare(const Plan& plan, const std::shared_ptr<MemoryBudget>& budget) {
  if (!arena_ || arena_.size_bytes() < plan.arena_bytes) {
    arena_ = Buffer();
    Result<Buffer> arena = Buffer::allocate(plan.arena_bytes);
    if (!arena) return arena.status();
    arena_ = std::move(*arena);
  }
  for (const Plan::Output& output : plan.outputs) {
    Result<Tensor> made = Tensor::allocate(output.dtype, output.shape, budget);
    if (!made) return made.status();
    outputs_.push_back(std::move(*made));
  }
  return Status::ok();
}

Status NativeSession::compute(const Plan& plan) {
  const BoundPlan bound(plan, inputs_, outputs_, arena_.data(), addresses_);
  for (const Step& step : plan.steps) {
    if (Status status = bound.run(step); !status.is_ok()) return status;
  }
  bound.deliver();
  return Status::ok();
}

Result<std::span<Tensor>> NativeSession::run(std::span<const Tensor> inputs,
                                             const std::shared_ptr<MemoryBudget>& budget) {
  inputs_.clear();
  outputs_.clear();
  Status status = take(inputs, budget);
  if (status.is_ok()) {
    const Result<std::shared_ptr<const Plan>> plan = model_->plan_for(inputs_);
    status = plan ? prepare(**plan, budget) : plan.status();
    if (status.is_ok()) status = compute(**plan);
  }
  inputs_.clear();  // somebody else is charged for them
  if (status.is_ok()) return std::span<Tensor>(outputs_);
  outputs_.clear();  // nobody is to pay for what was made until it failed
  return status;
}

}  // namespace sluice::native
