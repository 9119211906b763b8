#include "sluice/nodes/infer/graph/graph.h"

#include <algorithm>

namespace sluice::graph {

ValueId Graph::add_value(std::string name, DType dtype) {
  values.push_back({std::move(name), dtype, std::nullopt});
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::add_constant(std::string name, Tensor tensor) {
  const DType dtype = tensor.dtype();
  values.push_back({std::move(name), dtype, std::move(tensor)});
  return static_cast<ValueId>(values.size() - 1);
}

const Tensor* Graph::constant_of(ValueId id) const {
  if (id == kNoValue) return nullptr;
  const std::optional<Tensor>& constant = values[static_cast<std::size_t>(id)].constant;
  return constant ? &*constant : nullptr;
}

const Tensor* Graph::constant_of(const Node& node, std::size_t index) const {
  return constant_of(operand(node, index));
}

ValueId Graph::operand(const Node& node, std::size_t index) {
  return index < node.inputs.size() ? node.inputs[index] : kNoValue;
}

Uses::Uses(const Graph& graph)
    : producer_(graph.values.size(), kNobody),
      consumers_(graph.values.size()),
      is_output_(graph.values.size(), 0) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (ValueId id : graph.nodes[i].inputs) {
      if (id != kNoValue) {
        consumers_[static_cast<std::size_t>(id)].push_back(static_cast<std::int32_t>(i));
      }
    }
    for (ValueId id : graph.nodes[i].outputs) {
      if (id != kNoValue) producer_[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(i);
    }
  }
  for (ValueId id : graph.outputs) is_output_[static_cast<std::size_t>(id)] = 1;
}

std::span<const std::int32_t> Uses::consumers(ValueId id) const {
  return consumers_[static_cast<std::size_t>(id)];
}

void replace_uses(Graph& graph, ValueId from, ValueId to) {
  for (Node& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  std::replace(graph.outputs.begin(), graph.outputs.end(), from, to);
}

void remove_nodes(Graph& graph, const std::vector<char>& dead) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (dead[i]) continue;
    if (kept != i) graph.nodes[kept] = std::move(graph.nodes[i]);
    ++kept;
  }
  graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(kept), graph.nodes.end());
}

}  // namespace sluice::graph
