#include "sluice/nodes/infer/native/native_session.h"

#include "sluice/nodes/infer/session_inputs.h"

#include <cstring>

namespace sluice::native {
namespace {

// Where places are, for one run.
struct Bases {
  const Plan& plan;
  std::span<const Tensor> inputs;
  std::span<const Tensor> outputs;
  std::byte* arena;

  std::byte* address(const Place& place) const {
    switch (place.in) {
      case Place::In::kConstant:
        return plan.constants[place.index].raw() + place.offset;
      case Place::In::kInput:
        return inputs[place.index].raw() + place.offset;
      case Place::In::kOutput:
        return outputs[place.index].raw() + place.offset;
      case Place::In::kArena:
        return arena + place.offset;
      case Place::In::kNowhere:
        break;
    }
    return nullptr;
  }
};

}  // namespace

Status NativeSession::prepare(const Plan& plan) {
  if (!arena_ || arena_.size_bytes() < plan.arena_bytes) {
    arena_ = Buffer();
    Result<Buffer> arena = Buffer::allocate(plan.arena_bytes);
    if (!arena) return arena.status();
    arena_ = std::move(*arena);
  }
  addresses_.resize(plan.operands.size());
  return Status::ok();
}

Result<std::vector<Tensor>> NativeSession::run(std::span<const Tensor> given,
                                               const std::shared_ptr<MemoryBudget>& budget) {
  const Result<std::vector<Tensor>> inputs = contiguous_inputs(model_->inputs(), given, budget);
  if (!inputs) return inputs.status();
  const Result<std::shared_ptr<const Plan>> found = model_->plan_for(*inputs);
  if (!found) return found.status();
  const Plan& plan = **found;
  if (Status status = prepare(plan); !status.is_ok()) return status;

  std::vector<Tensor> outputs;
  for (const Plan::Output& output : plan.outputs) {
    Result<Tensor> made = Tensor::allocate(output.dtype, output.shape, budget);
    if (!made) return made.status();
    outputs.push_back(std::move(*made));
  }
  const Bases bases{plan, *inputs, outputs, arena_.data()};
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    addresses_[i] = bases.address(plan.operands[i]);
  }
  for (const Step& step : plan.steps) {
    std::byte* const* operands = addresses_.data() + step.first_operand;
    const Call call{{operands, step.inputs},
                    {operands + step.inputs, step.outputs},
                    bases.address(step.scratch)};
    if (Status status = step.run(call); !status.is_ok()) return status;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::byte* source = bases.address(plan.outputs[i].source);
    if (source != nullptr) std::memcpy(outputs[i].raw(), source, outputs[i].size_bytes());
  }
  return outputs;
}

}  // namespace sluice::native
