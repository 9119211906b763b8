#pragma once

#include "sluice/nodes/infer/graph/graph.h"

#include <optional>
#include <utility>

namespace sluice::graph {

// Answers what patterns ask about a graph. Does not follow changes of the graph, except that a node
// marked dead is no longer found.
class Match {
 public:
  explicit Match(const Graph& graph) : graph_(graph), uses_(graph), dead_(graph.nodes.size(), 0) {}

  const Uses& uses() const { return uses_; }
  std::vector<char>& dead() { return dead_; }

  // The node that writes the value, if it is alive and an operation of type T.
  template <class T>
  const Node* producer(ValueId id) const {
    return id == kNoValue ? nullptr : as<T>(uses_.producer(id));
  }

  // The one node that reads the value, if nobody else does and it is an operation of type T.
  template <class T>
  const Node* consumer(ValueId id) const {
    return uses_.is_private(id) ? as<T>(uses_.consumers(id).front()) : nullptr;
  }

  // The node's other operand when one is `id`; kNoValue when the node is no such arithmetic.
  ValueId other(const Node* node, BinaryKind kind, ValueId id) const;

  // The number behind a value that is a constant of one f32 element and adds no axes.
  std::optional<float> scalar(ValueId id) const;
  bool is_scalar(ValueId id, float number) const;

  std::size_t index_of(const Node* node) const {
    return static_cast<std::size_t>(node - graph_.nodes.data());
  }
  void kill(const Node* node) { dead_[index_of(node)] = 1; }

 private:
  template <class T>
  const Node* as(std::int32_t index) const {
    if (index == Uses::kNobody || dead_[static_cast<std::size_t>(index)]) return nullptr;
    const Node& node = graph_.nodes[static_cast<std::size_t>(index)];
    return std::holds_alternative<T>(node.operation) ? &node : nullptr;
  }

  const Graph& graph_;
  Uses uses_;
  std::vector<char> dead_;
};

}  // namespace sluice::graph
