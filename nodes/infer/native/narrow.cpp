#include "sluice/nodes/infer/native/narrow.h"

#include <algorithm>
#include <type_traits>

namespace sluice::native {
namespace {

using graph::kNoValue;
using graph::Layout;
using graph::Node;
using graph::ValueId;

std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

template <class Op, class... Ops>
constexpr bool kIsOneOf = (std::is_same_v<Op, Ops> || ...);

// How a node takes an operand.
enum class Reads : std::uint8_t { kAsItIs, kInBoth, kAsItWrites };

class Narrowing {
 public:
  Narrowing(LaidGraph& laid, std::span<const PackedWeights> weights)
      : laid_(laid), weights_(weights), is_bf16_(laid.graph.values.size(), 0) {}

  void run() {
    for (std::size_t i = 0; i < laid_.graph.nodes.size(); ++i) {
      const Node& node = laid_.graph.nodes[i];
      const ValueId out = node.outputs[0];
      if (out == kNoValue || laid_.facts[at(out)].value) continue;
      is_bf16_[at(out)] = laid_.facts[at(out)].dtype == DType::kF32 && (writes(i) || moves(node));
    }
    for (ValueId id : laid_.graph.outputs) is_bf16_[at(id)] = 0;
    while (is_narrowed_further()) {
    }
    for (std::size_t id = 0; id < is_bf16_.size(); ++id) {
      if (is_bf16_[id]) laid_.graph.values[id].dtype = laid_.facts[id].dtype = DType::kBF16;
    }
  }

 private:
  const PackedWeights* weights_of(std::size_t from) const {
    return from == LaidGraph::kNoWeights ? nullptr : &weights_[from];
  }

  // Takes bf16 from values that a node needs as floats; false when there were none.
  bool is_narrowed_further() {
    bool changed = false;
    const auto widen = [&](ValueId id) {
      if (id == kNoValue || !is_bf16_[at(id)]) return;
      is_bf16_[at(id)] = 0;
      changed = true;
    };
    for (std::size_t i = 0; i < laid_.graph.nodes.size(); ++i) {
      const Node& node = laid_.graph.nodes[i];
      bool are_alike = true;
      for (std::size_t k = 0; k < node.inputs.size(); ++k) {
        const ValueId id = node.inputs[k];
        if (id == kNoValue) continue;
        const Reads reads = this->reads(i, k);
        if (reads == Reads::kAsItIs) widen(id);
        if (reads == Reads::kAsItWrites) are_alike = are_alike && is_bf16_[at(id)];
      }
      if (!moves(node)) continue;
      if (are_alike && is_bf16_[at(node.outputs[0])]) continue;
      for (std::size_t k = 0; k < node.inputs.size(); ++k) {
        if (reads(i, k) == Reads::kAsItWrites) widen(node.inputs[k]);
      }
      widen(node.outputs[0]);
    }
    return changed;
  }

  Reads reads(std::size_t index, std::size_t operand) const {
    const Node& node = laid_.graph.nodes[index];
    if (moves(node)) {
      const bool is_data = operand == 0 || std::holds_alternative<graph::Concat>(node.operation);
      return is_data ? Reads::kAsItWrites : Reads::kAsItIs;
    }
    return std::visit([&](const auto& op) { return reads(index, operand, op); }, node.operation)
               ? Reads::kInBoth
               : Reads::kAsItIs;
  }

  bool reads(std::size_t index, std::size_t operand, const graph::Conv& op) const {
    if (op.layout != Layout::kChannelsLast) return false;
    if (operand != 0) return operand == 3;
    if (op.input_layout != Layout::kChannelsLast) return false;
    const PackedWeights* own = weights_of(laid_.weights_from[index]);
    for (const std::size_t from : {laid_.depthwise_from[index], laid_.first_from[index]}) {
      if (const PackedWeights* reader = weights_of(from)) return reader->conv_last->reads_bf16();
    }
    const Node& node = laid_.graph.nodes[index];
    return chooses_winograd(*own, laid_.facts[at(node.outputs[0])].shape)
               ? own->conv_last->writes_bf16()
               : own->conv_last->reads_bf16();
  }
  bool reads(std::size_t index, std::size_t operand, const graph::MatMul&) const {
    return operand == 0 && product(index) != nullptr && product(index)->reads_bf16();
  }
  bool reads(std::size_t index, std::size_t operand, const graph::Gemm&) const {
    return operand == 0 && product(index) != nullptr && product(index)->reads_bf16();
  }
  bool reads(std::size_t index, std::size_t operand, const graph::Reduce& op) const {
    const Node& node = laid_.graph.nodes[index];
    const graph::Fact* operands[] = {&laid_.facts[at(node.inputs[0])],
                                     node.inputs.size() > 1 && node.inputs[1] != kNoValue
                                         ? &laid_.facts[at(node.inputs[1])]
                                         : nullptr};
    return operand == 0 && pixels_to_average(op, operands).has_value();
  }
  template <class Op>
  bool reads(std::size_t, std::size_t, const Op&) const {
    return false;
  }

  // Its elements are those of its operands, or the largest of them or their mean.
  static bool moves(const Node& node) {
    const auto* pool = std::get_if<graph::Pool>(&node.operation);
    if (pool != nullptr) return pool->layout == Layout::kChannelsLast;
    return std::visit(
        [](const auto& op) {
          return kIsOneOf<std::decay_t<decltype(op)>, graph::Concat, graph::Transpose,
                          graph::Reshape, graph::Flatten, graph::Squeeze, graph::Unsqueeze,
                          graph::Slice>;
        },
        node.operation);
  }

  bool writes(std::size_t index) const {
    const Node& node = laid_.graph.nodes[index];
    if (const auto* conv = std::get_if<graph::Conv>(&node.operation)) {
      return conv->layout == Layout::kChannelsLast &&
             weights_of(laid_.weights_from[index])->conv_last->writes_bf16();
    }
    return product(index) != nullptr && product(index)->writes_bf16();
  }

  // The packed right-hand side of a matrix product; else null.
  const kernels::ConvLast* product(std::size_t index) const {
    const PackedWeights* weights = weights_of(laid_.weights_from[index]);
    return weights == nullptr ? nullptr : weights->matmul.get();
  }

  LaidGraph& laid_;
  const std::span<const PackedWeights> weights_;
  std::vector<char> is_bf16_;  // by value
};

}  // namespace

void store_in_bf16(LaidGraph& laid, std::span<const PackedWeights> weights) {
  Narrowing(laid, weights).run();
}

}  // namespace sluice::native
