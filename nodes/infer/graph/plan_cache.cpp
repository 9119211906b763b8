#include "sluice/nodes/infer/graph/plan_cache.h"

#include "sluice/nodes/infer/graph/shape_inference.h"
#include "sluice/nodes/infer/session_inputs.h"

#include <algorithm>
#include <string>

namespace sluice::graph {
namespace {

// Values that a shape depends on are lists of extents; anything longer is data.
constexpr std::int64_t kMaxShapingElements = 4096;

}  // namespace

bool PlanKey::fits(std::span<const Tensor> inputs) const {
  if (inputs.size() != shapes.size()) return false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].shape() != shapes[i]) return false;
    const bool same_values =
        values[i].is_empty() ||
        std::equal(values[i].raw(), values[i].raw() + values[i].size_bytes(), inputs[i].raw());
    if (!same_values) return false;
  }
  return true;
}

std::vector<Fact> PlanKey::facts(std::span<const Tensor> inputs) const {
  std::vector<Fact> facts;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    facts.push_back({inputs[i].shape(), inputs[i].dtype(), std::nullopt});
    if (!values[i].is_empty()) facts.back().value = values[i];
  }
  return facts;
}

PlanInputs::PlanInputs(const Graph& graph)
    : graph_(graph), shapes_by_value_(inputs_that_shape(graph)) {
  const Uses uses(graph);
  for (ValueId id : graph.inputs) {
    is_read_.push_back(!uses.consumers(id).empty() || uses.is_output(id));
  }
}

Result<PlanKey> PlanInputs::key_of(std::span<const Tensor> inputs) const {
  PlanKey key;
  for (const Tensor& input : inputs) key.shapes.push_back(input.shape());
  if (Status status = check_shapes(graph_.input_ports, key.shapes, is_read_); !status.is_ok())
    return status;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Tensor& value = key.values.emplace_back();
    if (!shapes_by_value_[i]) continue;
    if (inputs[i].elements() > kMaxShapingElements) {
      return unsupported("infer.values",
                         "a shape depends on the " + std::to_string(inputs[i].elements()) +
                             " values of input '" + graph_.input_ports[i].name + "'");
    }
    // The plan outlives the call, the caller's bytes may not.
    Result<Tensor> copy = Tensor::allocate(inputs[i].dtype(), inputs[i].shape());
    if (!copy) return copy.status();
    std::copy_n(inputs[i].raw(), inputs[i].size_bytes(), copy->raw());
    value = std::move(*copy);
  }
  return key;
}

}  // namespace sluice::graph
