#pragma once

#include "sluice/core/model.h"
#include "sluice/core/tensor.h"
#include "sluice/nodes/infer/graph/operation.h"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice::graph {

// The index of a value in Graph::values.
using ValueId = std::int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional operand that is not there

// What flows between nodes. Written once, by the node that has it among its outputs, or known from
// the start: an input of the graph or a constant.
struct Value {
  std::string name;
  DType dtype = DType::kF32;
  std::optional<Tensor> constant;
};

struct Node {
  Operation operation;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;  // kNoValue where nobody asked for a MaxPool's indices
  std::string origin;            // where it stands in the file, for messages
};

// A model as the passes and the engines see it: values, and nodes in an order in which every
// operand is computed before it is read. Threads: thread-compatible; constant once the passes are
// done.
struct Graph {
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<ModelPort> input_ports;   // one an input, as the file declares it
  std::vector<ModelPort> output_ports;  // one an output
  std::map<std::string, std::string> metadata;

  ValueId add_value(std::string name, DType dtype);
  ValueId add_constant(std::string name, Tensor tensor);

  // The constant behind an operand; null when it is none, or not there.
  const Tensor* constant_of(ValueId id) const;
  const Tensor* constant_of(const Node& node, std::size_t operand) const;
  // The operand, kNoValue when the node has fewer.
  static ValueId operand(const Node& node, std::size_t index);
};

// Who writes and who reads each value. A snapshot: it does not follow changes of the graph.
class Uses {
 public:
  static constexpr std::int32_t kNobody = -1;

  explicit Uses(const Graph& graph);

  // The index of the node that writes the value; kNobody for inputs and constants.
  std::int32_t producer(ValueId id) const { return producer_[static_cast<std::size_t>(id)]; }
  // Nodes that read the value, in order; a node that reads it twice is there twice.
  std::span<const std::int32_t> consumers(ValueId id) const;
  bool is_output(ValueId id) const { return is_output_[static_cast<std::size_t>(id)] != 0; }
  // True when one node reads the value, once, and nobody outside does.
  bool is_private(ValueId id) const { return consumers(id).size() == 1 && !is_output(id); }

 private:
  std::vector<std::int32_t> producer_;
  std::vector<std::vector<std::int32_t>> consumers_;
  std::vector<char> is_output_;
};

// Makes every reader of `from` read `to`. Outputs of the graph are readers too.
void replace_uses(Graph& graph, ValueId from, ValueId to);

// Removes the nodes at these places. REQUIRES: one flag a node.
void remove_nodes(Graph& graph, const std::vector<char>& dead);

}  // namespace sluice::graph
