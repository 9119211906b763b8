#include "sluice/nodes/infer/graph/match.h"
#include "sluice/nodes/infer/graph/passes.h"

#include <algorithm>
#include <numeric>

namespace sluice::graph {
namespace {

// What folding may add to a model in all. Beyond it, nodes are computed at every run.
constexpr std::size_t kMaxFoldedBytes = std::size_t{256} << 20;

// The value that a node only passes on; kNoValue when it does more.
ValueId passed_on(const Graph& graph, const Node& node) {
  if (std::holds_alternative<Identity>(node.operation)) return node.inputs[0];
  const auto* binary = std::get_if<Binary>(&node.operation);
  if (binary == nullptr) return kNoValue;
  const auto is_number = [&](ValueId id, float number) {
    const Tensor* constant = graph.constant_of(id);
    return constant != nullptr && constant->shape().rank() == 0 &&
           constant->dtype() == DType::kF32 && *constant->data<float>() == number;
  };
  const float neutral = binary->kind == BinaryKind::kAdd ? 0.0f : 1.0f;
  if (binary->kind != BinaryKind::kAdd && binary->kind != BinaryKind::kMul) return kNoValue;
  if (is_number(node.inputs[1], neutral)) return node.inputs[0];
  if (is_number(node.inputs[0], neutral)) return node.inputs[1];
  return kNoValue;
}

// Tries to compute one node; false when it is left as it is.
Result<bool> fold(Graph& graph, const Node& node, const Evaluate& evaluate, std::size_t& budget) {
  std::vector<Fact> facts(node.inputs.size());
  std::vector<const Fact*> operands(node.inputs.size(), nullptr);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const Tensor* constant = graph.constant_of(node.inputs[i]);
    if (constant == nullptr) return false;
    facts[i] = {constant->shape(), constant->dtype(), *constant};
    operands[i] = &facts[i];
  }
  const Result<std::vector<Shape>> shapes = output_shapes(node, operands);
  if (!shapes) return shapes.status();
  const std::vector<Fact> outputs = output_facts(graph, node, *shapes);
  std::size_t bytes = 0;
  for (const Fact& output : outputs) {
    bytes += static_cast<std::size_t>(output.shape.elements()) * size_of(output.dtype);
  }
  if (bytes > budget) return false;
  budget -= bytes;
  Result<std::vector<Tensor>> computed = evaluate(node, operands, outputs);
  if (!computed) return computed.status().with_context(node.origin);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    graph.values[static_cast<std::size_t>(node.outputs[i])].constant = std::move((*computed)[i]);
  }
  return true;
}

}  // namespace

Status fold_constants(Graph& graph, const Evaluate& evaluate) {
  std::vector<char> dead(graph.nodes.size(), 0);
  std::size_t budget = kMaxFoldedBytes;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Result<bool> folded = fold(graph, graph.nodes[i], evaluate, budget);
    if (!folded) return folded.status();
    dead[i] = *folded ? 1 : 0;
  }
  remove_nodes(graph, dead);
  return Status::ok();
}

void remove_identities(Graph& graph) {
  std::vector<ValueId> stands_for(graph.values.size());
  std::iota(stands_for.begin(), stands_for.end(), 0);
  std::vector<char> dead(graph.nodes.size(), 0);
  const auto rename = [&](ValueId& id) {
    if (id != kNoValue) id = stands_for[static_cast<std::size_t>(id)];
  };
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    std::for_each(node.inputs.begin(), node.inputs.end(), rename);
    const ValueId source = passed_on(graph, node);
    if (source == kNoValue) continue;
    stands_for[static_cast<std::size_t>(node.outputs[0])] = source;
    dead[i] = 1;
  }
  std::for_each(graph.outputs.begin(), graph.outputs.end(), rename);
  remove_nodes(graph, dead);
}

void remove_dead(Graph& graph) {
  std::vector<char> read(graph.values.size(), 0);
  for (ValueId id : graph.outputs) read[static_cast<std::size_t>(id)] = 1;
  std::vector<char> dead(graph.nodes.size(), 0);
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    Node& node = graph.nodes[i];
    bool needed = false;
    for (ValueId& id : node.outputs) {
      if (id == kNoValue) continue;
      if (read[static_cast<std::size_t>(id)]) {
        needed = true;
      } else if (std::holds_alternative<Pool>(node.operation)) {
        id = kNoValue;
      }
    }
    dead[i] = needed ? 0 : 1;
    if (!needed) continue;
    for (ValueId id : node.inputs) {
      if (id != kNoValue) read[static_cast<std::size_t>(id)] = 1;
    }
  }
  remove_nodes(graph, dead);
}

Status optimize(Graph& graph, const Evaluate& evaluate) {
  remove_dead(graph);
  if (Status status = fold_constants(graph, evaluate); !status.is_ok()) return status;
  remove_identities(graph);
  fuse_patterns(graph);
  if (Status status = fold_into_weights(graph); !status.is_ok()) return status;
  fuse_activations(graph);
  fuse_scales(graph);
  fuse_residuals(graph);
  remove_dead(graph);
  return Status::ok();
}

}  // namespace sluice::graph
