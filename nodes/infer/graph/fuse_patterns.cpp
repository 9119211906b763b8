#include "sluice/nodes/infer/graph/match.h"
#include "sluice/nodes/infer/graph/passes.h"

#include <cmath>

// Patterns are looked for once each over the whole graph. The node that ends a pattern becomes the
// fused operation in its place, so that order is kept; what only the pattern read is dead then and
// removed by remove_dead. Values in between have to be private, or they are needed anyway.
namespace sluice::graph {
namespace {

constexpr float kSqrt2 = 1.41421356f;

ValueId result(const Node* node) { return node == nullptr ? kNoValue : node->outputs[0]; }

const Node* next_binary(const Match& match, ValueId id) {
  return id == kNoValue ? nullptr : match.consumer<Binary>(id);
}

// x from a value that is x / c or x * (1 / c).
ValueId divided_by(const Match& match, ValueId id, float number) {
  const Node* node = match.producer<Binary>(id);
  if (node == nullptr || !match.uses().is_private(id)) return kNoValue;
  const BinaryKind kind = std::get<Binary>(node->operation).kind;
  if (kind == BinaryKind::kDiv && match.is_scalar(node->inputs[1], number)) return node->inputs[0];
  if (kind != BinaryKind::kMul) return kNoValue;
  if (match.is_scalar(node->inputs[1], 1.0f / number)) return node->inputs[0];
  if (match.is_scalar(node->inputs[0], 1.0f / number)) return node->inputs[1];
  return kNoValue;
}

struct Found {
  const Node* last = nullptr;  // the node that the fused operation replaces
  Operation operation;
  std::vector<ValueId> inputs;
};

// x * (1 + erf(x / sqrt 2)) / 2, the three products in any order.
std::optional<Found> find_gelu(const Match& match, const Node& node) {
  const auto* unary = std::get_if<Unary>(&node.operation);
  if (unary == nullptr || unary->kind != UnaryKind::kErf) return std::nullopt;
  const ValueId x = divided_by(match, node.inputs[0], kSqrt2);
  if (x == kNoValue) return std::nullopt;
  const Node* plus_one = next_binary(match, result(&node));
  if (!match.is_scalar(match.other(plus_one, BinaryKind::kAdd, result(&node)), 1.0f)) {
    return std::nullopt;
  }
  const Node* product = next_binary(match, result(plus_one));
  const ValueId factor = match.other(product, BinaryKind::kMul, result(plus_one));
  if (factor == kNoValue) return std::nullopt;
  const Found gelu{product, Unary{UnaryKind::kGelu}, {x}};
  if (factor != x && divided_by(match, factor, 2.0f) == x) return gelu;
  const Node* last = next_binary(match, result(product));
  const ValueId remaining = match.other(last, BinaryKind::kMul, result(product));
  const bool halved_last = factor == x && match.is_scalar(remaining, 0.5f);
  const bool halved_first = match.is_scalar(factor, 0.5f) && remaining == x;
  const bool divided_last =
      factor == x && last != nullptr && divided_by(match, result(last), 2.0f) == result(product);
  if (!halved_last && !halved_first && !divided_last) return std::nullopt;
  return Found{last, Unary{UnaryKind::kGelu}, {x}};
}

// x * sigmoid(x), and x * HardSigmoid(x) with the slope of hard-swish.
std::optional<Found> find_gated(const Match& match, const Node& node) {
  const auto* unary = std::get_if<Unary>(&node.operation);
  if (unary == nullptr) return std::nullopt;
  const ValueId x = node.inputs[0];
  const bool is_swish = unary->kind == UnaryKind::kSigmoid;
  const bool is_hard = unary->kind == UnaryKind::kHardSigmoid &&
                       std::abs(unary->alpha - 1.0f / 6.0f) < 1e-5f && unary->beta == 0.5f;
  if (!is_swish && !is_hard) return std::nullopt;
  const Node* product = next_binary(match, result(&node));
  if (match.other(product, BinaryKind::kMul, result(&node)) != x) return std::nullopt;
  return Found{product, Unary{is_swish ? UnaryKind::kSilu : UnaryKind::kHardSwish}, {x}};
}

// x * clip(x + 3, 0, 6) / 6, the division before or after the product.
std::optional<Found> find_hard_swish(const Match& match, const Node& node) {
  const auto* clip = std::get_if<Unary>(&node.operation);
  if (clip == nullptr || clip->kind != UnaryKind::kClip || clip->alpha != 0.0f ||
      clip->beta != 6.0f || !match.uses().is_private(node.inputs[0])) {
    return std::nullopt;
  }
  const Node* shift = match.producer<Binary>(node.inputs[0]);
  if (shift == nullptr) return std::nullopt;
  const bool three_second = match.is_scalar(shift->inputs[1], 3.0f);
  const ValueId x = shift->inputs[three_second ? 0 : 1];
  const ValueId three = shift->inputs[three_second ? 1 : 0];
  if (match.other(shift, BinaryKind::kAdd, x) != three || !match.is_scalar(three, 3.0f)) {
    return std::nullopt;
  }
  const Node* first = next_binary(match, result(&node));
  if (first == nullptr) return std::nullopt;
  if (match.other(first, BinaryKind::kMul, result(&node)) == x) {
    const Node* last = next_binary(match, result(first));
    if (last == nullptr) return std::nullopt;
    const bool divides =
        match.is_scalar(match.other(last, BinaryKind::kDiv, result(first)), 6.0f) ||
        match.is_scalar(match.other(last, BinaryKind::kMul, result(first)), 1.0f / 6.0f);
    if (!divides) return std::nullopt;
    return Found{last, Unary{UnaryKind::kHardSwish}, {x}};
  }
  if (divided_by(match, result(first), 6.0f) != result(&node)) return std::nullopt;
  const Node* product = next_binary(match, result(first));
  if (match.other(product, BinaryKind::kMul, result(first)) != x) return std::nullopt;
  return Found{product, Unary{UnaryKind::kHardSwish}, {x}};
}

// True for a mean over the last axis that keeps it.
bool is_row_mean(const Graph& graph, const Node* node) {
  if (node == nullptr) return false;
  const auto& reduce = std::get<Reduce>(node->operation);
  const Tensor* axes = graph.constant_of(*node, 1);
  return reduce.kind == ReduceKind::kMean && reduce.keep_dims && axes != nullptr &&
         axes->dtype() == DType::kI64 && axes->elements() == 1 && *axes->data<std::int64_t>() == -1;
}

bool is_row(const Graph& graph, ValueId id) {
  const Tensor* constant = graph.constant_of(id);
  return constant != nullptr && constant->dtype() == DType::kF32 && constant->shape().rank() == 1 &&
         constant->elements() > 1;
}

// d = x - mean(x); y = d / sqrt(mean(d * d) + epsilon), and a row to scale and one to shift by.
std::optional<Found> find_layer_norm(const Graph& graph, const Match& match, const Node& node) {
  const auto* root = std::get_if<Unary>(&node.operation);
  if (root == nullptr || root->kind != UnaryKind::kSqrt) return std::nullopt;
  const Node* plus = match.producer<Binary>(node.inputs[0]);
  if (plus == nullptr || std::get<Binary>(plus->operation).kind != BinaryKind::kAdd)
    return std::nullopt;
  const std::optional<float> epsilon = match.scalar(plus->inputs[1]);
  const Node* variance = match.producer<Reduce>(plus->inputs[0]);
  if (!epsilon || !is_row_mean(graph, variance)) return std::nullopt;
  const Node* square = match.producer<Binary>(variance->inputs[0]);
  if (square == nullptr) return std::nullopt;
  const BinaryKind kind = std::get<Binary>(square->operation).kind;
  const ValueId d = square->inputs[0];
  const bool squares = (kind == BinaryKind::kPow && match.is_scalar(square->inputs[1], 2.0f)) ||
                       (kind == BinaryKind::kMul && square->inputs[1] == d);
  const Node* centred = match.producer<Binary>(d);
  if (!squares || centred == nullptr ||
      std::get<Binary>(centred->operation).kind != BinaryKind::kSub) {
    return std::nullopt;
  }
  const ValueId x = centred->inputs[0];
  const Node* mean = match.producer<Reduce>(centred->inputs[1]);
  if (!is_row_mean(graph, mean) || mean->inputs[0] != x) return std::nullopt;
  const Node* divided = next_binary(match, result(&node));
  if (match.other(divided, BinaryKind::kDiv, d) != result(&node)) return std::nullopt;

  Found found{divided, LayerNorm{-1, *epsilon}, {x}};
  const Node* scaled = next_binary(match, result(divided));
  const ValueId scale = match.other(scaled, BinaryKind::kMul, result(divided));
  if (scale == kNoValue || !is_row(graph, scale)) return found;
  found.last = scaled;
  found.inputs.push_back(scale);
  const Node* shifted = next_binary(match, result(scaled));
  const ValueId shift = match.other(shifted, BinaryKind::kAdd, result(scaled));
  if (shift == kNoValue || !is_row(graph, shift)) return found;
  found.last = shifted;
  found.inputs.push_back(shift);
  return found;
}

using Finder = std::optional<Found> (*)(const Graph&, const Match&, const Node&);

void fuse(Graph& graph, Finder find) {
  const Match match(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    std::optional<Found> found = find(graph, match, graph.nodes[i]);
    if (!found) continue;
    Node& last = graph.nodes[match.index_of(found->last)];
    last.operation = std::move(found->operation);
    last.inputs = std::move(found->inputs);
  }
  remove_dead(graph);
}

// x * s + x, a gate with a way around it, becomes x * (s + 1): where s is one number a channel that
// is one pass over the image and not two.
void gather_gates(Graph& graph) {
  const Match match(graph);
  std::optional<ValueId> one;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (std::size_t k = 0; k < 2; ++k) {
      const auto* binary = std::get_if<Binary>(&graph.nodes[i].operation);
      if (binary == nullptr || binary->kind != BinaryKind::kAdd) break;
      const ValueId product = graph.nodes[i].inputs[k], x = graph.nodes[i].inputs[1 - k];
      const Node* gate = match.producer<Binary>(product);
      const ValueId s = match.other(gate, BinaryKind::kMul, x);
      const bool is_f32 = graph.values[static_cast<std::size_t>(x)].dtype == DType::kF32;
      if (s == kNoValue || s == x || !is_f32 || !match.uses().is_private(product)) continue;
      if (!one) {
        Result<Tensor> number = Tensor::allocate(DType::kF32, Shape{});
        if (!number) return;
        *number->data<float>() = 1.0f;
        one = graph.add_constant("one", std::move(*number));
      }
      Node& before = graph.nodes[match.index_of(gate)];
      before.operation = Binary{BinaryKind::kAdd};
      before.inputs = {s, *one};
      graph.nodes[i].operation = Binary{BinaryKind::kMul};
      graph.nodes[i].inputs = {x, product};
      break;
    }
  }
}

}  // namespace

void fuse_patterns(Graph& graph) {
  fuse(graph,
       [](const Graph&, const Match& match, const Node& node) { return find_gelu(match, node); });
  fuse(graph,
       [](const Graph&, const Match& match, const Node& node) { return find_gated(match, node); });
  fuse(graph, [](const Graph&, const Match& match, const Node& node) {
    return find_hard_swish(match, node);
  });
  fuse(graph, [](const Graph& g, const Match& match, const Node& node) {
    return find_layer_norm(g, match, node);
  });
  gather_gates(graph);
}

}  // namespace sluice::graph
