#include "sluice/nodes/infer/graph/shape_inference.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

namespace sluice::graph {
namespace {

// Larger results are computed at every run instead: they are data, not arithmetic on shapes.
constexpr std::int64_t kMaxKnownElements = 1 << 16;

Result<Tensor> tensor_of(const std::vector<std::int64_t>& numbers, const Shape& shape) {
  Result<Tensor> made = Tensor::allocate(DType::kI64, shape);
  if (made && !numbers.empty()) {
    std::memcpy(made->raw(), numbers.data(), numbers.size() * sizeof(std::int64_t));
  }
  return made;
}

// Shape and Size need no values, only the shape.
std::optional<Result<Tensor>> value_from_shape(const Node& node, const Shape& x, const Shape& out) {
  if (const auto* shape_of = std::get_if<ShapeOf>(&node.operation)) {
    const auto rank = static_cast<std::int64_t>(x.rank());
    const std::int64_t start = shape_of->start < 0 ? shape_of->start + rank : shape_of->start;
    const std::int64_t first = std::clamp<std::int64_t>(start, 0, rank);
    std::vector<std::int64_t> dims;
    for (std::int64_t i = 0; i < out[0]; ++i)
      dims.push_back(x[static_cast<std::size_t>(first + i)]);
    return tensor_of(dims, out);
  }
  if (std::holds_alternative<SizeOf>(node.operation)) return tensor_of({x.elements()}, out);
  return std::nullopt;
}

bool all_known(Operands operands) {
  return std::all_of(operands.begin(), operands.end(),
                     [](const Fact* fact) { return fact == nullptr || fact->value; });
}

bool all_small(std::span<const Shape> shapes) {
  return std::all_of(shapes.begin(), shapes.end(),
                     [](const Shape& shape) { return shape.elements() <= kMaxKnownElements; });
}

Status infer_node(const Graph& graph, const Node& node, const Evaluate& evaluate,
                  std::vector<Fact>& facts) {
  std::vector<const Fact*> operands;
  for (ValueId id : node.inputs) {
    operands.push_back(id == kNoValue ? nullptr : &facts[static_cast<std::size_t>(id)]);
  }
  const Result<std::vector<Shape>> shapes = output_shapes(node, operands);
  if (!shapes) return shapes.status();
  std::vector<std::optional<Tensor>> values(node.outputs.size());
  if (auto value = value_from_shape(node, operands[0]->shape, shapes->front())) {
    if (!*value) return value->status();
    values[0] = std::move(**value);
  } else if (all_known(operands) && all_small(*shapes)) {
    Result<std::vector<Tensor>> computed =
        evaluate(node, operands, output_facts(graph, node, *shapes));
    if (!computed) return computed.status().with_context(node.origin);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = (*computed)[i];
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    const auto id = static_cast<std::size_t>(node.outputs[i]);
    facts[id] = {(*shapes)[i], graph.values[id].dtype, std::move(values[i])};
  }
  return Status::ok();
}

// The operands whose values decide the shape of the result.
struct ShapingOperands {
  using List = std::vector<std::size_t>;
  List operator()(const Reduce&) const { return {1}; }
  List operator()(const TopK&) const { return {1}; }
  List operator()(const Split&) const { return {1}; }
  List operator()(const Reshape&) const { return {1}; }
  List operator()(const Squeeze&) const { return {1}; }
  List operator()(const Unsqueeze&) const { return {1}; }
  List operator()(const Expand&) const { return {1}; }
  List operator()(const Tile&) const { return {1}; }
  List operator()(const Slice&) const { return {1, 2, 3, 4}; }
  List operator()(const Pad&) const { return {1, 3}; }
  List operator()(const Resize&) const { return {1, 2, 3}; }
  List operator()(const Range&) const { return {0, 1, 2}; }
  List operator()(const ConstantOfShape&) const { return {0}; }
  template <class T>
  List operator()(const T&) const {
    return {};
  }
};

// Sizes that stand for a symbol in one trial. Later trials have multiples of 32, which is what
// networks that halve their input five times take.
std::int64_t trial_size(std::size_t trial, std::size_t symbol) {
  static constexpr std::array<std::int64_t, 6> kSteps{7, 13, 5, 11, 3, 17};
  const std::int64_t step =
      kSteps[symbol % kSteps.size()] + static_cast<std::int64_t>(trial * (symbol + 2));
  return trial < 3 ? step * 9 + static_cast<std::int64_t>(symbol) : step * 32;
}

struct Trial {
  std::map<std::string, std::int64_t> sizes;  // of each symbol of the inputs
  std::vector<Shape> outputs;
};

// Symbols by name; dimensions without one get a name of their own.
std::string symbol_of(const Dim& dim, std::size_t input, std::size_t axis) {
  if (!dim.symbol.empty()) return dim.symbol;
  return "?" + std::to_string(input) + "." + std::to_string(axis);
}

std::optional<Trial> run_trial(const Graph& graph, const Evaluate& evaluate, std::size_t number) {
  Trial trial;
  std::vector<Fact> facts;
  for (std::size_t i = 0; i < graph.input_ports.size(); ++i) {
    const ModelPort& port = graph.input_ports[i];
    Shape shape;
    for (std::size_t axis = 0; axis < port.dims.size(); ++axis) {
      const Dim& dim = port.dims[axis];
      std::int64_t size = dim.size;
      if (!dim.is_static()) {
        // The first axis is the batch nearly always, and any size will do for it.
        const std::int64_t fresh = axis == 0 ? static_cast<std::int64_t>(number) + 2
                                             : trial_size(number, trial.sizes.size());
        size = trial.sizes.emplace(symbol_of(dim, i, axis), fresh).first->second;
      }
      shape.push_back(size);
    }
    facts.push_back({shape, port.dtype, std::nullopt});
  }
  const Result<std::vector<Fact>> inferred = infer_facts(graph, facts, evaluate);
  if (!inferred) return std::nullopt;
  for (ValueId id : graph.outputs)
    trial.outputs.push_back((*inferred)[static_cast<std::size_t>(id)].shape);
  return trial;
}

// What one extent of an output is in every trial.
std::optional<Dim> agreed(std::span<const Trial> trials, std::size_t output, std::size_t axis) {
  const auto size_in = [&](const Trial& trial) { return trial.outputs[output][axis]; };
  const auto holds = [&](const auto& predicate) {
    return std::all_of(trials.begin(), trials.end(), predicate);
  };
  const std::int64_t first = size_in(trials.front());
  if (holds([&](const Trial& trial) { return size_in(trial) == first; })) return Dim{first, {}};
  for (const auto& [symbol, size] : trials.front().sizes) {
    const auto is_symbol = [&, name = symbol](const Trial& trial) {
      return size_in(trial) == trial.sizes.at(name);
    };
    const bool equal = holds(is_symbol);
    if (equal && symbol.front() != '?') return Dim{-1, symbol};
  }
  return std::nullopt;
}

}  // namespace

std::vector<Fact> output_facts(const Graph& graph, const Node& node,
                               std::span<const Shape> shapes) {
  std::vector<Fact> facts;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId id = node.outputs[i];
    // The one output that may be left out is the indices of a MaxPool.
    const DType dtype =
        id == kNoValue ? DType::kI64 : graph.values[static_cast<std::size_t>(id)].dtype;
    facts.push_back({shapes[i], dtype, std::nullopt});
  }
  return facts;
}

Result<std::vector<Fact>> infer_facts(const Graph& graph, std::span<const Fact> inputs,
                                      const Evaluate& evaluate) {
  std::vector<Fact> facts(graph.values.size());
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (const std::optional<Tensor>& constant = graph.values[i].constant) {
      facts[i] = {constant->shape(), constant->dtype(), constant};
    }
  }
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    facts[static_cast<std::size_t>(graph.inputs[i])] = inputs[i];
  }
  for (const Node& node : graph.nodes) {
    if (Status status = infer_node(graph, node, evaluate, facts); !status.is_ok()) return status;
  }
  return facts;
}

Result<std::vector<Shape>> infer_output_shapes(const Graph& graph, std::span<const Shape> inputs,
                                               const Evaluate& evaluate) {
  std::vector<Fact> facts;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    facts.push_back({inputs[i], graph.input_ports[i].dtype, std::nullopt});
  }
  const Result<std::vector<Fact>> inferred = infer_facts(graph, facts, evaluate);
  if (!inferred) return inferred.status();
  std::vector<Shape> shapes;
  for (ValueId id : graph.outputs) {
    shapes.push_back((*inferred)[static_cast<std::size_t>(id)].shape);
  }
  return shapes;
}

std::vector<char> inputs_that_shape(const Graph& graph) {
  std::vector<char> needed(graph.values.size(), 0);
  const auto need = [&](ValueId id) {
    if (id != kNoValue) needed[static_cast<std::size_t>(id)] = 1;
  };
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    for (std::size_t index : std::visit(ShapingOperands{}, node.operation)) {
      need(Graph::operand(node, index));
    }
    const bool is_needed = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return id != kNoValue && needed[static_cast<std::size_t>(id)];
    });
    const bool only_by_shape = std::holds_alternative<ShapeOf>(node.operation) ||
                               std::holds_alternative<SizeOf>(node.operation);
    if (!is_needed || only_by_shape) continue;
    for (ValueId id : node.inputs) need(id);
  }
  std::vector<char> flags;
  for (ValueId id : graph.inputs) flags.push_back(needed[static_cast<std::size_t>(id)]);
  return flags;
}

std::vector<ModelPort> infer_ports(const Graph& graph, const Evaluate& evaluate) {
  constexpr std::size_t kTrials = 7;
  constexpr std::size_t kEnough = 3;
  std::vector<Trial> trials;
  for (std::size_t number = 0; number < kTrials; ++number) {
    if (std::optional<Trial> trial = run_trial(graph, evaluate, number)) {
      trials.push_back(std::move(*trial));
    }
  }
  std::vector<ModelPort> ports = graph.output_ports;
  if (trials.size() < kEnough) return ports;
  for (std::size_t output = 0; output < ports.size(); ++output) {
    const std::size_t rank = trials.front().outputs[output].rank();
    ModelPort& port = ports[output];
    if (port.dims.size() != rank) port.dims.assign(rank, Dim{});
    for (std::size_t axis = 0; axis < rank; ++axis) {
      Dim& dim = port.dims[axis];
      std::optional<Dim> found = agreed(trials, output, axis);
      // A number that the file promises and no trial contradicts is not lost to a symbol's absence.
      if (found) dim = std::move(*found);
      if (!found) dim.size = -1;
    }
  }
  return ports;
}

}  // namespace sluice::graph
