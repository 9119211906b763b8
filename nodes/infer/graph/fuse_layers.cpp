#include "sluice/nodes/infer/graph/match.h"
#include "sluice/nodes/infer/graph/passes.h"

#include <cmath>
#include <cstring>

namespace sluice::graph {
namespace {

// y = scale * x + shift, one pair a channel.
struct Affine {
  std::vector<float> scale, shift;
};

struct Layer {
  Node* node = nullptr;
  std::int64_t channels = 0;
  std::size_t rank = 0;
  bool is_transposed = false;
};

// A convolution whose weights are constant and that has no activation yet.
std::optional<Layer> foldable(Graph& graph, const Match& match, ValueId id) {
  Layer layer;
  const Node* node = match.producer<Conv>(id);
  layer.is_transposed = node == nullptr;
  if (node == nullptr) node = match.producer<ConvTranspose>(id);
  if (node == nullptr || !match.uses().is_private(id)) return std::nullopt;
  const Tensor* weights = graph.constant_of(*node, 1);
  const ValueId bias = Graph::operand(*node, 2);
  if (weights == nullptr || weights->dtype() != DType::kF32 || weights->shape().rank() < 3) {
    return std::nullopt;
  }
  if (bias != kNoValue && graph.constant_of(bias) == nullptr) return std::nullopt;
  layer.node = &graph.nodes[match.index_of(node)];
  layer.rank = weights->shape().rank();
  if (const auto* conv = std::get_if<Conv>(&node->operation)) {
    if (conv->activation) return std::nullopt;
    layer.channels = weights->shape()[0];
  } else {
    const auto& transpose = std::get<ConvTranspose>(node->operation);
    if (transpose.activation || transpose.group < 1 || transpose.group > weights->shape()[0]) {
      return std::nullopt;
    }
    layer.channels = weights->shape()[1] * transpose.group;
  }
  const Tensor* bias_data = graph.constant_of(bias);
  if (bias_data != nullptr &&
      (bias_data->elements() != layer.channels || bias_data->dtype() != DType::kF32)) {
    return std::nullopt;
  }
  return layer;
}

// The constant as one number a channel, when it is that for a tensor [N, channels, ...] of `rank`
// axes: all of its extents are 1 but perhaps the channels'.
std::optional<std::vector<float>> per_channel(const Tensor* constant, const Layer& layer) {
  if (constant == nullptr || constant->dtype() != DType::kF32) return std::nullopt;
  const Shape& shape = constant->shape();
  const auto count = static_cast<std::size_t>(layer.channels);
  if (shape.rank() > layer.rank) return std::nullopt;
  const float* data = constant->data<float>();
  if (constant->elements() == 1) return std::vector<float>(count, *data);
  if (shape.rank() + 1 < layer.rank) return std::nullopt;
  const std::size_t axis = shape.rank() + 1 - layer.rank;
  if (constant->elements() != layer.channels || shape[axis] != layer.channels) return std::nullopt;
  return std::vector<float>(data, data + count);
}

std::optional<Affine> affine_of(const Graph& graph, const Node& node, ValueId x,
                                const Layer& layer) {
  const auto count = static_cast<std::size_t>(layer.channels);
  Affine affine{std::vector<float>(count, 1.0f), std::vector<float>(count, 0.0f)};
  if (const auto* norm = std::get_if<BatchNorm>(&node.operation)) {
    if (node.inputs[0] != x) return std::nullopt;
    const float* vectors[4];
    for (std::size_t i = 0; i < 4; ++i) {
      const Tensor* constant = graph.constant_of(node, i + 1);
      if (constant == nullptr || constant->dtype() != DType::kF32 ||
          constant->shape() != Shape{layer.channels}) {
        return std::nullopt;
      }
      vectors[i] = constant->data<float>();
    }
    for (std::size_t c = 0; c < count; ++c) {
      affine.scale[c] = vectors[0][c] / std::sqrt(vectors[3][c] + norm->epsilon);
      affine.shift[c] = vectors[1][c] - vectors[2][c] * affine.scale[c];
    }
    return affine;
  }
  const auto* binary = std::get_if<Binary>(&node.operation);
  if (binary == nullptr) return std::nullopt;
  const bool x_first = node.inputs[0] == x;
  const auto other = per_channel(graph.constant_of(node.inputs[x_first ? 1 : 0]), layer);
  if (!other) return std::nullopt;
  switch (binary->kind) {
    case BinaryKind::kAdd:
      affine.shift = *other;
      return affine;
    case BinaryKind::kMul:
      affine.scale = *other;
      return affine;
    case BinaryKind::kSub:
      if (!x_first) return std::nullopt;
      for (std::size_t c = 0; c < count; ++c) affine.shift[c] = -(*other)[c];
      return affine;
    case BinaryKind::kDiv:
      if (!x_first) return std::nullopt;
      for (std::size_t c = 0; c < count; ++c) affine.scale[c] = 1.0f / (*other)[c];
      return affine;
    default:
      return std::nullopt;
  }
}

bool is_scaling(const Affine& affine) {
  for (float scale : affine.scale) {
    if (scale != 1.0f) return true;
  }
  return false;
}

Result<Tensor> scaled_weights(const Tensor& weights, const Layer& layer, const Affine& affine) {
  Result<Tensor> made = Tensor::allocate(DType::kF32, weights.shape());
  if (!made) return made;
  const float* from = weights.data<float>();
  float* to = made->data<float>();
  const Shape& shape = weights.shape();
  // Conv: [channels, rest]; ConvTranspose: [groups, inputs of a group, channels of a group,
  // kernel].
  std::int64_t kernel = 1;
  for (std::size_t i = 2; i < shape.rank(); ++i) kernel *= shape[i];
  if (!layer.is_transposed) {
    const std::int64_t inner = shape[1] * kernel;
    for (std::int64_t i = 0; i < weights.elements(); ++i) {
      to[i] = from[i] * affine.scale[static_cast<std::size_t>(i / inner)];
    }
    return made;
  }
  const std::int64_t groups = layer.channels / shape[1];
  const std::int64_t inputs_a_group = shape[0] / groups;
  for (std::int64_t i = 0; i < weights.elements(); ++i) {
    const std::int64_t channel_in_group = i / kernel % shape[1];
    const std::int64_t group = i / (kernel * shape[1]) / inputs_a_group;
    to[i] = from[i] * affine.scale[static_cast<std::size_t>(group * shape[1] + channel_in_group)];
  }
  return made;
}

Result<Tensor> affine_bias(const Tensor* bias, const Layer& layer, const Affine& affine) {
  Result<Tensor> made = Tensor::allocate(DType::kF32, Shape{layer.channels});
  if (!made) return made;
  float* to = made->data<float>();
  for (std::size_t c = 0; c < affine.scale.size(); ++c) {
    const float before = bias == nullptr ? 0.0f : bias->data<float>()[c];
    to[c] = before * affine.scale[c] + affine.shift[c];
  }
  return made;
}

// Writes the affine function into the layer's constants. The old constants stay for other readers.
Status fold(Graph& graph, const Layer& layer, const Affine& affine) {
  Node& node = *layer.node;
  if (is_scaling(affine)) {
    Result<Tensor> weights = scaled_weights(*graph.constant_of(node, 1), layer, affine);
    if (!weights) return weights.status();
    node.inputs[1] = graph.add_constant({}, std::move(*weights));
  }
  Result<Tensor> bias = affine_bias(graph.constant_of(node, 2), layer, affine);
  if (!bias) return bias.status();
  node.inputs.resize(3, kNoValue);
  node.inputs[2] = graph.add_constant({}, std::move(*bias));
  return Status::ok();
}

// One step of folding; true when something was found.
Result<bool> fold_once(Graph& graph) {
  Match match(graph);
  bool found = false;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    if (!std::holds_alternative<BatchNorm>(node.operation) &&
        !std::holds_alternative<Binary>(node.operation)) {
      continue;
    }
    for (ValueId x : node.inputs) {
      const std::optional<Layer> layer = x == kNoValue ? std::nullopt : foldable(graph, match, x);
      if (!layer) continue;
      const std::optional<Affine> affine = affine_of(graph, node, x, *layer);
      if (!affine) continue;
      if (Status status = fold(graph, *layer, *affine); !status.is_ok()) return status;
      // The layer now writes what the node wrote. It keeps its place: nothing in between reads it.
      layer->node->outputs = {node.outputs[0]};
      match.kill(&node);
      match.kill(layer->node);  // one fold a layer and a sweep: Match does not follow the change
      node.operation = Identity{};
      found = true;
      break;
    }
  }
  if (!found) return false;
  std::vector<char> dead(graph.nodes.size(), 0);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const bool folded =
        match.dead()[i] != 0 && std::holds_alternative<Identity>(graph.nodes[i].operation);
    dead[i] = folded ? 1 : 0;
  }
  remove_nodes(graph, dead);
  return true;
}

void fold_row_bias(Graph& graph) {
  Match match(graph);
  std::vector<char> dead(graph.nodes.size(), 0);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& add = graph.nodes[i];
    for (ValueId x : add.inputs) {
      const Node* found = match.producer<MatMul>(x);
      const ValueId row = match.other(&add, BinaryKind::kAdd, x);
      if (found == nullptr || row == kNoValue || !match.uses().is_private(x)) continue;
      Node& product = graph.nodes[match.index_of(found)];
      const Tensor* weights = graph.constant_of(product, 1);
      const Tensor* bias = graph.constant_of(row);
      if (weights == nullptr || bias == nullptr || weights->shape().rank() < 2 ||
          bias->dtype() != DType::kF32 || product.inputs.size() != 2 ||
          bias->shape() != Shape{weights->shape()[weights->shape().rank() - 1]}) {
        continue;
      }
      product.inputs.push_back(row);
      product.outputs = {add.outputs[0]};
      match.kill(found);
      dead[i] = 1;
      break;
    }
  }
  remove_nodes(graph, dead);
}

bool is_fusable(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::kRelu:
    case UnaryKind::kClip:
    case UnaryKind::kLeakyRelu:
    case UnaryKind::kSigmoid:
    case UnaryKind::kSilu:
    case UnaryKind::kHardSigmoid:
    case UnaryKind::kHardSwish:
    case UnaryKind::kGelu:
    case UnaryKind::kTanh:
      return true;
    default:
      return false;
  }
}

std::optional<Unary>* activation_of(Operation& operation) {
  if (auto* conv = std::get_if<Conv>(&operation)) return &conv->activation;
  if (auto* conv = std::get_if<ConvTranspose>(&operation)) return &conv->activation;
  if (auto* gemm = std::get_if<Gemm>(&operation)) return &gemm->activation;
  if (auto* matmul = std::get_if<MatMul>(&operation)) return &matmul->activation;
  if (auto* norm = std::get_if<BatchNorm>(&operation)) return &norm->activation;
  return nullptr;
}

}  // namespace

Status fold_into_weights(Graph& graph) {
  // A chain Conv, BatchNormalization, Mul, Add takes one sweep a link.
  for (;;) {
    const Result<bool> found = fold_once(graph);
    if (!found) return found.status();
    if (!*found) break;
  }
  fold_row_bias(graph);
  return Status::ok();
}

void fuse_activations(Graph& graph) {
  const Uses uses(graph);
  std::vector<char> dead(graph.nodes.size(), 0);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* unary = std::get_if<Unary>(&graph.nodes[i].operation);
    if (unary == nullptr || !is_fusable(unary->kind)) continue;
    const ValueId x = graph.nodes[i].inputs[0];
    const std::int32_t producer = uses.producer(x);
    if (producer == Uses::kNobody || !uses.is_private(x)) continue;
    Node& layer = graph.nodes[static_cast<std::size_t>(producer)];
    std::optional<Unary>* activation = activation_of(layer.operation);
    if (activation == nullptr || *activation || dead[static_cast<std::size_t>(producer)]) continue;
    *activation = *unary;
    layer.outputs = {graph.nodes[i].outputs[0]};
    dead[i] = 1;
  }
  remove_nodes(graph, dead);
}

void fuse_scales(Graph& graph) {
  // The Mul and the Add take a sweep each, as Match does not follow the change.
  for (bool found = true; found;) {
    found = false;
    Match match(graph);
    for (const Node& node : graph.nodes) {
      for (ValueId x : node.inputs) {
        const Node* conv = match.producer<Conv>(x);
        if (conv == nullptr || !match.uses().is_private(x)) continue;
        const auto factor = match.scalar(match.other(&node, BinaryKind::kMul, x));
        const auto term = match.scalar(match.other(&node, BinaryKind::kAdd, x));
        Node& layer = graph.nodes[match.index_of(conv)];
        std::optional<Unary>& activation = std::get<Conv>(layer.operation).activation;
        if (!activation || (!factor && !term)) continue;
        activation->scale *= factor.value_or(1.0f);
        activation->shift = activation->shift * factor.value_or(1.0f) + term.value_or(0.0f);
        layer.outputs = {node.outputs[0]};
        match.kill(&node);
        found = true;
        break;
      }
    }
    remove_nodes(graph, match.dead());
  }
}

void fuse_residuals(Graph& graph) {
  Match match(graph);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& add = graph.nodes[i];
    const auto* binary = std::get_if<Binary>(&add.operation);
    if (binary == nullptr || binary->kind != BinaryKind::kAdd) continue;
    // Of two convolutions the later one: it can be in cache when it is added to.
    const Node* layer = nullptr;
    for (ValueId x : add.inputs) {
      const Node* found = match.producer<Conv>(x);
      if (found == nullptr || !match.uses().is_private(x) ||
          Graph::operand(*found, 3) != kNoValue) {
        continue;
      }
      if (layer == nullptr || found > layer) layer = found;
    }
    if (layer == nullptr) continue;
    const ValueId sum = layer->outputs[0];
    const ValueId other = match.other(&add, BinaryKind::kAdd, sum);
    // A constant is no image, and is as well added by an Add.
    if (other == sum || other == kNoValue || graph.constant_of(other) != nullptr) continue;
    // The convolution moves to the Add's place, where the other operand is there.
    Node fused = *layer;
    fused.inputs.resize(4, kNoValue);
    fused.inputs[3] = other;
    fused.outputs = add.outputs;
    match.kill(layer);
    add = std::move(fused);
  }
  remove_nodes(graph, match.dead());

  const Uses uses(graph);
  std::vector<char> dead(graph.nodes.size(), 0);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* unary = std::get_if<Unary>(&graph.nodes[i].operation);
    if (unary == nullptr || !is_fusable(unary->kind)) continue;
    const ValueId x = graph.nodes[i].inputs[0];
    const std::int32_t producer = uses.producer(x);
    if (producer == Uses::kNobody || !uses.is_private(x)) continue;
    Node& layer = graph.nodes[static_cast<std::size_t>(producer)];
    auto* conv = std::get_if<Conv>(&layer.operation);
    if (conv == nullptr || Graph::operand(layer, 3) == kNoValue || conv->after) continue;
    conv->after = *unary;
    layer.outputs = {graph.nodes[i].outputs[0]};
    dead[i] = 1;
  }
  remove_nodes(graph, dead);
}

}  // namespace sluice::graph
