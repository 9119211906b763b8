#include "sluice/nodes/infer/native/layout.h"

#include "sluice/nodes/infer/native/kernels/movement.h"

#include <algorithm>

namespace sluice::native {
namespace {

using graph::Fact;
using graph::kNoValue;
using graph::Layout;
using graph::Node;
using graph::ValueId;

// An image with so few channels is read as it is by the convolution that turns it.
constexpr std::int64_t kFewChannels = 4;

constexpr std::size_t kNoNode = static_cast<std::size_t>(-1);

std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

bool is_image(const Shape& shape) { return shape.rank() == 3 || shape.rank() == 4; }

class Pass {
 public:
  Pass(const graph::Graph& from, std::span<const PackedWeights> weights, std::vector<Fact> facts)
      : from_(from), weights_(weights), uses_(from) {
    laid_.graph = from;
    laid_.graph.nodes.clear();
    laid_.facts = std::move(facts);
    turned_.assign(from.values.size(), kNoValue);
    norm_.assign(from.values.size(), kNoNode);
    is_planar_.assign(from.values.size(), 1);
  }

  LaidGraph run() {
    for (std::size_t i = 0; i < from_.nodes.size(); ++i) {
      source_ = i;
      const Node& node = from_.nodes[i];
      if (is_needed(node) &&
          std::visit([&](const auto& op) { return turn(node, op); }, node.operation)) {
        continue;
      }
      Node copy = node;
      for (ValueId id : copy.inputs) planar(id);
      append(std::move(copy), i);
    }
    for (ValueId id : from_.outputs) planar(id);
    join_pointwise_pairs();
    join_depthwise();
    return std::move(laid_);
  }

 private:
  const Fact& fact(ValueId id) const { return laid_.facts[at(id)]; }
  const Shape& shape(ValueId id) const { return fact(id).shape; }
  bool has_turned(ValueId id) const {
    return id != kNoValue && at(id) < turned_.size() && turned_[at(id)] != kNoValue;
  }

  // Nodes whose results are known are not run, whatever they are.
  bool is_needed(const Node& node) const {
    return std::any_of(node.outputs.begin(), node.outputs.end(),
                       [&](ValueId id) { return id != kNoValue && !fact(id).value.has_value(); });
  }

  void append(Node node, std::size_t weights_from = LaidGraph::kNoWeights) {
    laid_.graph.nodes.push_back(std::move(node));
    laid_.weights_from.push_back(weights_from);
  }

  ValueId add_value(const std::string& name, Fact value) {
    const ValueId id = laid_.graph.add_value(name, value.dtype);
    if (value.value) laid_.graph.values[at(id)].constant = value.value;
    laid_.facts.push_back(std::move(value));
    return id;
  }

  ValueId add_constant(std::span<const std::int64_t> integers) {
    Fact known;
    known.shape = Shape{static_cast<std::int64_t>(integers.size())};
    known.dtype = DType::kI64;
    Result<Tensor> tensor = Tensor::allocate(known.dtype, known.shape);
    if (!tensor) return kNoValue;
    std::copy(integers.begin(), integers.end(), tensor->data<std::int64_t>());
    known.value = std::move(*tensor);
    return add_value("axes", std::move(known));
  }

  // The axis of a turned image that was this one; `axis` may count from the end.
  static std::int64_t turned_axis(std::int64_t axis, std::size_t rank) {
    const std::vector<std::int64_t> order = to_channels_last(rank);
    const auto last = static_cast<std::int64_t>(rank);
    if (axis < 0) axis += last;
    return std::find(order.begin(), order.end(), axis) - order.begin();
  }

  // The value that is `id` with its channels innermost.
  ValueId turned(ValueId id) {
    if (id == kNoValue || has_turned(id)) return id == kNoValue ? id : turned_[at(id)];
    const std::vector<std::int64_t> order = to_channels_last(shape(id).rank());
    Fact result{permuted(shape(id), order), fact(id).dtype, std::nullopt};
    if (fact(id).value) {
      Result<Tensor> copy = Tensor::allocate(result.dtype, result.shape);
      if (copy) {
        kernels::transpose(size_of(result.dtype), shape(id).dims(), order, fact(id).value->raw(),
                           copy->raw());
        result.value = std::move(*copy);
      }
    }
    const bool is_known = result.value.has_value();
    const ValueId to = add_value(laid_.graph.values[at(id)].name, std::move(result));
    if (at(id) >= turned_.size()) return to;
    if (!is_known) append({graph::Transpose{order}, {id}, {to}, origin("reorder")});
    return turned_[at(id)] = to;
  }

  // Makes sure that `id` is there in the order that ONNX has.
  void planar(ValueId id) {
    if (id == kNoValue || at(id) >= is_planar_.size() || is_planar_[at(id)]) return;
    is_planar_[at(id)] = 1;
    append({graph::Transpose{to_planar(shape(id).rank())},
            {turned_[at(id)]},
            {id},
            origin("reorder")});
  }

  std::string origin(const std::string& what) const {
    return what + " for " + from_.nodes[source_].origin;
  }

  // A value for a result that is computed turned.
  ValueId turned_result(ValueId id) {
    const std::vector<std::int64_t> order = to_channels_last(shape(id).rank());
    is_planar_[at(id)] = 0;
    return turned_[at(id)] = add_value(from_.values[at(id)].name,
                                       {permuted(shape(id), order), fact(id).dtype, std::nullopt});
  }

  // The same node over turned values.
  void append_turned(const Node& node, std::vector<ValueId> inputs, graph::Operation operation) {
    const ValueId result = turned_result(node.outputs[0]);
    append({std::move(operation), std::move(inputs), {result}, node.origin}, source_);
  }

  bool turn(const Node& node, graph::Conv op) {
    const ValueId x = node.inputs[0], out = node.outputs[0];
    if (weights_[source_].conv_last == nullptr || !is_image(shape(out))) return false;
    const ValueId residual = graph::Graph::operand(node, 3);
    std::vector<ValueId> inputs = node.inputs;
    // The kernel adds what is shaped as its result and nothing else.
    if (residual != kNoValue && shape(residual) != shape(out)) return false;
    const bool reads_planar =
        !has_turned(x) && shape(x)[1] <= kFewChannels && op.group == 1 && !fact(x).value;
    op.layout = Layout::kChannelsLast;
    op.input_layout = reads_planar ? Layout::kPlanar : Layout::kChannelsLast;
    if (!reads_planar) inputs[0] = turned(x);
    if (residual != kNoValue) inputs[3] = turned(residual);
    append_turned(node, std::move(inputs), std::move(op));
    return true;
  }

  bool turn(const Node& node, graph::ConvTranspose op) {
    if (weights_[source_].conv_transpose_last == nullptr || !is_image(shape(node.outputs[0]))) {
      return false;
    }
    std::vector<ValueId> inputs = node.inputs;
    inputs[0] = turned(inputs[0]);
    op.layout = Layout::kChannelsLast;
    append_turned(node, std::move(inputs), std::move(op));
    return true;
  }

  bool turn(const Node& node, const graph::Unary& op) {
    if (!has_turned(node.inputs[0])) return false;
    if (graph::BatchNorm* norm = norm_behind(node.inputs[0]);
        norm != nullptr && op.kind == graph::UnaryKind::kRelu) {
      norm->activation = op;
      stand_in(node.outputs[0], node.inputs[0]);
      return true;
    }
    append_turned(node, {turned(node.inputs[0])}, op);
    return true;
  }

  bool turn(const Node& node, const graph::Binary& op) {
    const Shape out = shape(node.outputs[0]);
    const auto fills = [&](ValueId id) { return has_turned(id) && shape(id) == out; };
    if (!is_image(out) || !std::any_of(node.inputs.begin(), node.inputs.end(), fills)) return false;
    for (ValueId id : node.inputs) {
      const bool spreads = shape(id).elements() == 1 || fact(id).value.has_value();
      if (shape(id).rank() != out.rank() && !(spreads && shape(id).rank() < out.rank())) {
        return false;
      }
    }
    if (fold_into_norm(node, op.kind)) return true;
    std::vector<ValueId> inputs;
    for (ValueId id : node.inputs) {
      if (shape(id).elements() == 1) {
        planar(id);
        inputs.push_back(id);
      } else {
        inputs.push_back(shape(id).rank() == out.rank() ? turned(id)
                                                        : turned_constant(id, out.rank()));
      }
    }
    append_turned(node, std::move(inputs), op);
    return true;
  }

  bool turn(const Node& node, graph::Pool op) {
    const bool has_indices = node.outputs.size() > 1 && node.outputs[1] != kNoValue;
    if (!has_turned(node.inputs[0]) || has_indices) return false;
    op.layout = Layout::kChannelsLast;
    append_turned(node, {turned(node.inputs[0])}, std::move(op));
    return true;
  }

  bool turn(const Node& node, graph::BatchNorm op) {
    if (!has_turned(node.inputs[0])) return false;
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      if (!fact(node.inputs[i]).value) return false;
    }
    std::vector<ValueId> inputs = node.inputs;
    inputs[0] = turned(inputs[0]);
    op.layout = Layout::kChannelsLast;
    append_turned(node, std::move(inputs), std::move(op));
    norm_[at(node.outputs[0])] = laid_.graph.nodes.size() - 1;
    return true;
  }

  // The BatchNormalization that computes the value, when nobody else sees it and it is not followed
  // by an activation yet.
  graph::BatchNorm* norm_behind(ValueId id) {
    if (norm_[at(id)] == kNoNode || !uses_.is_private(id)) return nullptr;
    auto& norm = std::get<graph::BatchNorm>(laid_.graph.nodes[norm_[at(id)]].operation);
    return norm.activation ? nullptr : &norm;
  }

  // From now on `id` is what `computed` is.
  void stand_in(ValueId id, ValueId computed) {
    turned_[at(id)] = turned_[at(computed)];
    norm_[at(id)] = norm_[at(computed)];
    is_planar_[at(id)] = 0;
  }

  // A factor or a term of each channel after a BatchNormalization is its own.
  bool fold_into_norm(const Node& node, graph::BinaryKind kind) {
    const bool is_mul = kind == graph::BinaryKind::kMul;
    if (!is_mul && kind != graph::BinaryKind::kAdd) return false;
    for (std::size_t k = 0; k < 2; ++k) {
      const ValueId x = node.inputs[k], other = node.inputs[1 - k];
      if (norm_behind(x) == nullptr || !fact(other).value || fact(x).dtype != DType::kF32) continue;
      const Shape image = shape(node.outputs[0]);
      const std::size_t missing = image.rank() - shape(other).rank();
      const bool is_channels = missing <= 1 && shape(other).elements() == image[1] &&
                               shape(other)[1 - missing] == image[1] && shape(x) == image;
      if (!is_channels) continue;
      Node& norm = laid_.graph.nodes[norm_[at(x)]];
      const float* values = fact(other).value->data<float>();
      for (const std::size_t operand : {1, 2}) {
        if (operand == 1 && !is_mul) continue;
        const Tensor& old = *fact(norm.inputs[operand]).value;
        Fact known{old.shape(), DType::kF32, std::nullopt};
        Result<Tensor> changed = Tensor::allocate(known.dtype, known.shape);
        if (!changed) return false;
        for (std::int64_t c = 0; c < image[1]; ++c) {
          const float was = old.data<float>()[c];
          changed->data<float>()[c] = is_mul ? was * values[c] : was + values[c];
        }
        known.value = std::move(*changed);
        norm.inputs[operand] = add_value("folded", std::move(known));
      }
      stand_in(node.outputs[0], x);
      return true;
    }
    return false;
  }

  // A known value of fewer axes, as one of `rank` axes with its channels innermost.
  ValueId turned_constant(ValueId id, std::size_t rank) {
    Shape full;
    for (std::size_t i = shape(id).rank(); i < rank; ++i) full.push_back(1);
    for (std::int64_t extent : shape(id)) full.push_back(extent);
    return turned(add_value(from_.values[at(id)].name,
                            {full, fact(id).dtype, fact(id).value->reshaped(full)}));
  }

  // With the power that every trained model has.
  bool turn(const Node& node, graph::Lrn op) {
    if (!has_turned(node.inputs[0]) || op.beta != 0.75f) return false;
    op.layout = Layout::kChannelsLast;
    append_turned(node, {turned(node.inputs[0])}, op);
    return true;
  }

  bool turn(const Node& node, graph::Concat op) {
    const std::size_t rank = shape(node.outputs[0]).rank();
    if (!std::any_of(node.inputs.begin(), node.inputs.end(),
                     [&](ValueId id) { return has_turned(id); })) {
      return false;
    }
    op.axis = turned_axis(op.axis, rank);
    std::vector<ValueId> inputs;
    for (ValueId id : node.inputs) inputs.push_back(turned(id));
    append_turned(node, std::move(inputs), op);
    return true;
  }

  // Means over whole images, as squeeze-excite blocks and classifiers have them.
  bool turn(const Node& node, graph::Reduce op) {
    if (!has_turned(node.inputs[0]) || !op.keep_dims) return false;
    const std::vector<const Fact*> operands = operands_of(node);
    const auto axes = graph::resolve(op, operands);
    if (!axes || axes->empty()) return false;
    std::vector<std::int64_t> mapped;
    for (std::int64_t axis : *axes) {
      mapped.push_back(turned_axis(axis, shape(node.inputs[0]).rank()));
    }
    std::sort(mapped.begin(), mapped.end());
    const ValueId constant = add_constant(mapped);
    if (constant == kNoValue) return false;
    append_turned(node, {turned(node.inputs[0]), constant}, op);
    return true;
  }

  // Scales or sizes that are known, one an axis, change their order with the axes.
  bool turn(const Node& node, const graph::Resize& op) {
    const bool crops = op.coordinates == graph::Resize::Coordinates::kTfCropAndResize;
    if (!has_turned(node.inputs[0]) || crops) return false;
    const std::vector<std::int64_t> order = to_channels_last(shape(node.inputs[0]).rank());
    std::vector<ValueId> inputs{turned(node.inputs[0]), kNoValue};
    for (std::size_t i = 2; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue || shape(id).elements() == 0) {
        inputs.push_back(kNoValue);
        continue;
      }
      if (!fact(id).value) return false;
      Fact known{shape(id), fact(id).dtype, std::nullopt};
      Result<Tensor> copy = Tensor::allocate(known.dtype, known.shape);
      if (!copy) return false;
      const std::size_t bytes = size_of(known.dtype);
      for (std::size_t axis = 0; axis < order.size(); ++axis) {
        std::copy_n(fact(id).value->raw() + static_cast<std::size_t>(order[axis]) * bytes, bytes,
                    copy->raw() + axis * bytes);
      }
      known.value = std::move(*copy);
      inputs.push_back(add_value("extents", std::move(known)));
    }
    append_turned(node, std::move(inputs), op);
    return true;
  }

  // A Transpose of a turned value is another one of the same bytes.
  bool turn(const Node& node, graph::Transpose op) {
    if (!has_turned(node.inputs[0])) return false;
    const std::vector<const Fact*> operands = operands_of(node);
    const auto order = graph::resolve(op, operands);
    if (!order) return false;
    const std::size_t rank = shape(node.inputs[0]).rank();
    for (std::size_t i = 0; i < rank; ++i) {
      op.permutation.resize(rank);
      op.permutation[i] = turned_axis((*order)[i], rank);
    }
    append({std::move(op), {turned(node.inputs[0])}, node.outputs, node.origin});
    return true;
  }

  template <class T>
  bool turn(const Node&, const T&) {
    return false;
  }

  // The weights of a 1x1 convolution without strides over channels-last images; else null.
  const kernels::ConvLast* pointwise(std::size_t node) const {
    const auto* op = std::get_if<graph::Conv>(&laid_.graph.nodes[node].operation);
    if (op == nullptr || op->input_layout != Layout::kChannelsLast) return nullptr;
    const kernels::ConvLast* conv = weights_[laid_.weights_from[node]].conv_last.get();
    const kernels::ConvParams& p = conv->params();
    const bool is_pointwise = p.kernel_h * p.kernel_w == 1 && p.stride_h * p.stride_w == 1 &&
                              p.groups == 1 && p.pad_top + p.pad_left == 0 &&
                              p.pad_bottom + p.pad_right == 0;
    return is_pointwise ? conv : nullptr;
  }

  void join_pointwise_pairs() {
    const graph::Uses uses(laid_.graph);
    std::vector<Node>& nodes = laid_.graph.nodes;
    laid_.first_from.assign(nodes.size(), LaidGraph::kNoWeights);
    laid_.depthwise_from = laid_.first_from;
    std::vector<char> dead(nodes.size(), 0);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const std::int32_t producer = nodes[i].inputs.empty() || nodes[i].inputs[0] == kNoValue
                                        ? graph::Uses::kNobody
                                        : uses.producer(nodes[i].inputs[0]);
      if (producer == graph::Uses::kNobody || !uses.is_private(nodes[i].inputs[0])) continue;
      const auto first = static_cast<std::size_t>(producer);
      if (pointwise(i) == nullptr || pointwise(first) == nullptr) continue;
      if (laid_.first_from[first] != LaidGraph::kNoWeights || nodes[first].inputs.size() > 3) {
        continue;
      }
      nodes[i].inputs[0] = nodes[first].inputs[0];
      laid_.first_from[i] = laid_.weights_from[first];
      dead[first] = 1;
    }
    remove(dead);
  }

  void remove(const std::vector<char>& dead) {
    graph::remove_nodes(laid_.graph, dead);
    for (std::vector<std::size_t>* by_node :
         {&laid_.weights_from, &laid_.first_from, &laid_.depthwise_from}) {
      std::size_t kept = 0;
      for (std::size_t i = 0; i < dead.size(); ++i) {
        if (!dead[i]) (*by_node)[kept++] = (*by_node)[i];
      }
      by_node->resize(kept);
    }
  }

  bool is_depthwise(std::size_t node) const {
    const auto* op = std::get_if<graph::Conv>(&laid_.graph.nodes[node].operation);
    if (op == nullptr || op->layout != Layout::kChannelsLast) return false;
    const kernels::ConvParams& p = weights_[laid_.weights_from[node]].conv_last->params();
    return p.groups > 1 && p.groups == p.in_channels && p.groups == p.out_channels &&
           laid_.graph.nodes[node].inputs.size() <= 3;
  }

  // A pair takes in the depthwise convolution that only it reads: as its input, and perhaps as its
  // residual, which it then says by having none.
  void join_depthwise() {
    const graph::Uses uses(laid_.graph);
    std::vector<Node>& nodes = laid_.graph.nodes;
    std::vector<char> dead(nodes.size(), 0);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (laid_.first_from[i] == LaidGraph::kNoWeights) continue;
      const ValueId x = nodes[i].inputs[0];
      const std::int32_t producer = uses.producer(x);
      if (producer == graph::Uses::kNobody || uses.is_output(x)) continue;
      const auto depthwise = static_cast<std::size_t>(producer);
      const auto consumers = uses.consumers(x);
      const bool is_own = std::all_of(consumers.begin(), consumers.end(), [&](std::int32_t node) {
        return static_cast<std::size_t>(node) == i;
      });
      if (!is_own || !is_depthwise(depthwise)) continue;
      auto& op = std::get<graph::Conv>(nodes[i].operation);
      op.adds_depthwise = graph::Graph::operand(nodes[i], 3) == x;
      if (op.adds_depthwise) nodes[i].inputs[3] = kNoValue;
      op.window = std::get<graph::Conv>(nodes[depthwise].operation).window;
      nodes[i].inputs[0] = nodes[depthwise].inputs[0];
      laid_.depthwise_from[i] = laid_.weights_from[depthwise];
      dead[depthwise] = 1;
    }
    remove(dead);
  }

  std::vector<const Fact*> operands_of(const Node& node) const {
    std::vector<const Fact*> operands;
    for (ValueId id : node.inputs) operands.push_back(id == kNoValue ? nullptr : &fact(id));
    return operands;
  }

  const graph::Graph& from_;
  std::span<const PackedWeights> weights_;
  const graph::Uses uses_;  // of from_
  LaidGraph laid_;
  std::vector<ValueId> turned_;    // by value of from_: its turned version, if there is one
  std::vector<char> is_planar_;    // by value of from_: it is there as ONNX has it
  std::vector<std::size_t> norm_;  // by value of from_: the node of laid_ that scales pixels to it
  std::size_t source_ = 0;         // the node at hand
};

}  // namespace

std::vector<std::int64_t> to_channels_last(std::size_t rank) {
  std::vector<std::int64_t> order{0};
  for (std::size_t i = 2; i < rank; ++i) order.push_back(static_cast<std::int64_t>(i));
  order.push_back(1);
  return order;
}

std::vector<std::int64_t> to_planar(std::size_t rank) {
  std::vector<std::int64_t> order{0, static_cast<std::int64_t>(rank) - 1};
  for (std::size_t i = 1; i + 1 < rank; ++i) order.push_back(static_cast<std::int64_t>(i));
  return order;
}

Shape permuted(const Shape& shape, std::span<const std::int64_t> order) {
  Shape result;
  for (std::int64_t axis : order) result.push_back(shape[static_cast<std::size_t>(axis)]);
  return result;
}

LaidGraph lay_out_images(const graph::Graph& graph, std::span<const PackedWeights> weights,
                         std::vector<Fact> facts) {
  return Pass(graph, weights, std::move(facts)).run();
}

}  // namespace sluice::native
