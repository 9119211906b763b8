#include "sluice/nodes/infer/native/native_session.h"

#include "sluice/nodes/infer/native/bound_plan.h"

#include <cstring>

namespace sluice::native {
namespace {

// The elements in row-major order, copied into a tensor of their own.
Result<Tensor> contiguous(const Tensor& from, const std::shared_ptr<MemoryBudget>& budget) {
  Result<Tensor> made = Tensor::allocate(from.dtype(), from.shape(), budget);
  if (!made) return made;
  const std::size_t bytes = size_of(from.dtype());
  const Shape& shape = from.shape();
  Shape position = shape;
  for (std::size_t i = 0; i < shape.rank(); ++i) position[i] = 0;
  std::byte* to = made->raw();
  for (std::int64_t n = from.elements(); n > 0; --n, to += bytes) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < shape.rank(); ++i) offset += position[i] * from.strides()[i];
    std::memcpy(to, from.raw() + offset * static_cast<std::int64_t>(bytes), bytes);
    for (std::size_t i = shape.rank(); i-- > 0;) {
      if (++position[i] < shape[i]) break;
      position[i] = 0;
    }
  }
  return made;
}

}  // namespace

Status NativeSession::take(std::span<const Tensor> inputs,
                           const std::shared_ptr<MemoryBudget>& budget) {
  const std::vector<ModelPort>& ports = model_->inputs();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (i < ports.size() && inputs[i].dtype() != ports[i].dtype) {
      return invalid("infer.shape", "input '" + ports[i].name + "' takes " +
                                        std::string(to_string(ports[i].dtype)) + ", " +
                                        std::string(to_string(inputs[i].dtype())) + " was given");
    }
    if (inputs[i].is_contiguous()) {
      inputs_.push_back(inputs[i]);
      continue;
    }
    Result<Tensor> copy = contiguous(inputs[i], budget);
    if (!copy) return copy.status();
    inputs_.push_back(std::move(*copy));
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
  if (!status.is_ok()) return status;
  return std::span<Tensor>(outputs_);
}

}  // namespace sluice::native
