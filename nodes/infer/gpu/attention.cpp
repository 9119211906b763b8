#include "sluice/nodes/infer/gpu/attention.h"

#include "sluice/nodes/infer/graph/match.h"

#include <optional>

namespace sluice::gpu {
namespace {

using graph::kNoValue;
using graph::ValueId;

class Finder {
 public:
  Finder(const graph::Graph& graph, std::span<const graph::Fact> facts)
      : graph_(graph), facts_(facts), match_(graph) {}

  // The attention that this product ends, with the nodes before it in `parts`.
  std::optional<Attention> find(const graph::Node& last, std::vector<const graph::Node*>& parts) {
    if (!std::holds_alternative<graph::MatMul>(last.operation) || !is_plain(last)) {
      return std::nullopt;
    }
    const auto* softmax = only_reader<graph::Softmax>(last.inputs[0], parts);
    if (softmax == nullptr || !is_over_last(*softmax)) return std::nullopt;
    Attention found;
    found.v = last.inputs[1];
    ValueId scores = softmax->inputs[0];
    if (const auto* sum = only_reader<graph::Binary>(scores, parts)) {
      if (!take_arithmetic(*sum, scores, found, parts)) return std::nullopt;
    }
    const auto* product = only_reader<graph::MatMul>(scores, parts);
    if (product == nullptr || !is_plain(*product)) return std::nullopt;
    found.q = product->inputs[0];
    found.kt = product->inputs[1];
    return fits(found) ? std::optional(found) : std::nullopt;
  }

 private:
  const Shape& shape(ValueId id) const { return facts_[static_cast<std::size_t>(id)].shape; }

  // The node that writes the value, if it is such an operation and one node alone reads it.
  template <class T>
  const graph::Node* only_reader(ValueId id, std::vector<const graph::Node*>& parts) const {
    const graph::Node* node = match_.producer<T>(id);
    if (node == nullptr || !match_.uses().is_private(id)) return nullptr;
    parts.push_back(node);
    return node;
  }

  static bool is_plain(const graph::Node& node) {
    const auto* matmul = std::get_if<graph::MatMul>(&node.operation);
    return matmul != nullptr && node.inputs.size() == 2 && !matmul->activation;
  }

  bool is_over_last(const graph::Node& node) const {
    const auto& softmax = std::get<graph::Softmax>(node.operation);
    const auto rank = static_cast<std::int64_t>(shape(node.inputs[0]).rank());
    return !softmax.logarithm && (softmax.axis == -1 || softmax.axis == rank - 1);
  }

  // A sum with a mask, then a scaling by a number; either may be missing.
  bool take_arithmetic(const graph::Node& first, ValueId& scores, Attention& found,
                       std::vector<const graph::Node*>& parts) const {
    const graph::Node* node = &first;
    if (std::get<graph::Binary>(node->operation).kind == graph::BinaryKind::kAdd) {
      const bool product_first = is_scores(node->inputs[0]);
      scores = node->inputs[product_first ? 0 : 1];
      found.mask = node->inputs[product_first ? 1 : 0];
      node = only_reader<graph::Binary>(scores, parts);
      if (node == nullptr) return true;
    }
    const auto kind = std::get<graph::Binary>(node->operation).kind;
    const bool is_scaling = kind == graph::BinaryKind::kMul || kind == graph::BinaryKind::kDiv;
    const auto number = match_.scalar(node->inputs[1]);
    if (!is_scaling || !number || (kind == graph::BinaryKind::kDiv && *number == 0)) return false;
    found.scale = kind == graph::BinaryKind::kMul ? *number : 1.0F / *number;
    scores = node->inputs[0];
    return true;
  }

  bool is_scores(ValueId id) const {
    if (match_.producer<graph::MatMul>(id) != nullptr) return true;
    const graph::Node* node = match_.producer<graph::Binary>(id);
    return node != nullptr && match_.producer<graph::MatMul>(node->inputs[0]) != nullptr;
  }

  bool fits(const Attention& found) const {
    const Shape &q = shape(found.q), &kt = shape(found.kt), &v = shape(found.v);
    const bool four_axes = q.rank() == 4 && kt.rank() == 4 && v.rank() == 4;
    if (!four_axes || q.elements() == 0 || kt.elements() == 0) return false;
    for (std::size_t axis : {0, 1}) {
      if (q[axis] != kt[axis] || q[axis] != v[axis]) return false;
    }
    constexpr std::int64_t kLargestHead = 128;
    return v[3] == q[3] && q[3] <= kLargestHead && q[3] % 8 == 0;
  }

  const graph::Graph& graph_;
  const std::span<const graph::Fact> facts_;
  const graph::Match match_;
};

}  // namespace

AttentionPatterns find_attentions(const graph::Graph& graph, std::span<const graph::Fact> facts) {
  AttentionPatterns patterns;
  patterns.is_part.assign(graph.nodes.size(), 0);
  Finder finder(graph, facts);
  for (const graph::Node& node : graph.nodes) {
    std::vector<const graph::Node*> parts;
    const auto found = finder.find(node, parts);
    if (!found) continue;
    patterns.ends.emplace(&node, *found);
    for (const graph::Node* part : parts) {
      patterns.is_part[static_cast<std::size_t>(part - graph.nodes.data())] = 1;
    }
  }
  return patterns;
}

}  // namespace sluice::gpu
