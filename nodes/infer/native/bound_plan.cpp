#include "sluice/nodes/infer/native/bound_plan.h"

#include <cstring>

namespace sluice::native {

BoundPlan::BoundPlan(const Plan& plan, std::span<const Tensor> inputs,
                     std::span<const Tensor> outputs, std::byte* arena,
                     std::vector<std::byte*>& addresses)
    : plan_(plan), inputs_(inputs), outputs_(outputs), arena_(arena), addresses_(addresses) {
  addresses_.resize(plan.operands.size());
  for (std::size_t i = 0; i < addresses_.size(); ++i) addresses_[i] = address(plan.operands[i]);
}

std::byte* BoundPlan::address(const Place& place) const {
  switch (place.in) {
    case Place::In::kConstant:
      return plan_.constants[place.index].raw() + place.offset;
    case Place::In::kInput:
      return inputs_[place.index].raw() + place.offset;
    case Place::In::kOutput:
      return outputs_[place.index].raw() + place.offset;
    case Place::In::kArena:
      return arena_ + place.offset;
    case Place::In::kNowhere:
      break;
  }
  return nullptr;
}

Status BoundPlan::run(const Step& step) const {
  std::byte* const* operands = addresses_.data() + step.first_operand;
  return step.run(
      {{operands, step.inputs}, {operands + step.inputs, step.outputs}, address(step.scratch)});
}

void BoundPlan::deliver() const {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const std::byte* source = address(plan_.outputs[i].source);
    if (source != nullptr) std::memcpy(outputs_[i].raw(), source, outputs_[i].size_bytes());
  }
}

}  // namespace sluice::native
