#include "sluice/nodes/infer/graph/match.h"

#include <cmath>

namespace sluice::graph {

ValueId Match::other(const Node* node, BinaryKind kind, ValueId id) const {
  if (node == nullptr) return kNoValue;
  const auto* binary = std::get_if<Binary>(&node->operation);
  if (binary == nullptr || binary->kind != kind) return kNoValue;
  if (node->inputs[0] == id) return node->inputs[1];
  const bool commutes = kind == BinaryKind::kAdd || kind == BinaryKind::kMul;
  return commutes && node->inputs[1] == id ? node->inputs[0] : kNoValue;
}

std::optional<float> Match::scalar(ValueId id) const {
  const Tensor* constant = graph_.constant_of(id);
  if (constant == nullptr || constant->dtype() != DType::kF32 || constant->elements() != 1 ||
      constant->shape().rank() > 1) {
    return std::nullopt;
  }
  return *constant->data<float>();
}

bool Match::is_scalar(ValueId id, float number) const {
  const std::optional<float> found = scalar(id);
  return found && std::abs(*found - number) <= 1e-6f * std::max(1.0f, std::abs(number));
}

}  // namespace sluice::graph
