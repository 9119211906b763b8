#include "sluice/nodes/infer/native/native_model.h"

#include "sluice/nodes/infer/graph/passes.h"
#include "sluice/nodes/infer/native/native_session.h"
#include "sluice/nodes/infer/session_inputs.h"

#include <algorithm>

namespace sluice::native {
namespace {

// Values that a shape depends on are lists of extents; anything longer is data.
constexpr std::int64_t kMaxShapingElements = 4096;

Status check_support(const graph::Graph& graph) {
  std::string list;
  for (const graph::Node& node : graph.nodes) {
    if (const auto reason = unsupported_reason(graph, node)) {
      list += (list.empty() ? "" : "; ") + *reason;
    }
  }
  if (list.empty()) return Status::ok();
  return unsupported("model.unsupported", "it needs operators that are not supported: " + list);
}

std::vector<PackedWeights> pack_all(const graph::Graph& graph, kernels::Precision precision,
                                    Tuner* tuner) {
  std::vector<PackedWeights> weights;
  for (const graph::Node& node : graph.nodes) {
    std::vector<const Tensor*> constants;
    for (graph::ValueId id : node.inputs) constants.push_back(graph.constant_of(id));
    weights.push_back(pack_weights(node, constants, precision));
    weights.back().tuner = tuner;
  }
  return weights;
}

std::size_t constant_bytes(const graph::Graph& graph) {
  std::vector<char> counted(graph.values.size(), 0);
  std::size_t bytes = 0;
  for (const graph::Node& node : graph.nodes) {
    for (graph::ValueId id : node.inputs) {
      const Tensor* constant = graph.constant_of(id);
      if (constant == nullptr || counted[static_cast<std::size_t>(id)]) continue;
      counted[static_cast<std::size_t>(id)] = 1;
      bytes += constant->size_bytes();
    }
  }
  return bytes;
}

}  // namespace

Result<std::shared_ptr<const Model>> NativeModel::make(graph::Graph graph,
                                                       kernels::Precision precision, Tuner* tuner) {
  if (Status status = check_support(graph); !status.is_ok()) return status;
  if (Status status = graph::optimize(graph, evaluate); !status.is_ok()) return status;
  std::vector<PackedWeights> weights = pack_all(graph, precision, tuner);
  return std::shared_ptr<const Model>(new NativeModel(std::move(graph), std::move(weights)));
}

NativeModel::NativeModel(graph::Graph graph, std::vector<PackedWeights> weights)
    : graph_(std::move(graph)),
      weights_(std::move(weights)),
      outputs_(graph::infer_ports(graph_, evaluate)),
      shapes_by_value_(graph::inputs_that_shape(graph_)),
      weight_bytes_(constant_bytes(graph_)) {
  const graph::Uses uses(graph_);
  for (graph::ValueId id : graph_.inputs) {
    is_read_.push_back(!uses.consumers(id).empty() || uses.is_output(id));
  }
}

Result<std::vector<Shape>> NativeModel::output_shapes(std::span<const Shape> inputs) const {
  if (Status status = check_shapes(graph_.input_ports, inputs, is_read_); !status.is_ok())
    return status;
  return graph::infer_output_shapes(graph_, inputs, evaluate);
}

bool NativeModel::Key::fits(std::span<const Tensor> inputs) const {
  if (inputs.size() != shapes.size()) return false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].shape() != shapes[i]) return false;
    const bool same_values =
        values[i].is_empty() ||
        std::equal(values[i].raw(), values[i].raw() + values[i].size_bytes(), inputs[i].raw());
    if (!same_values) return false;
  }
  return true;
}

Result<NativeModel::Key> NativeModel::key_of(std::span<const Tensor> inputs) const {
  Key key;
  for (const Tensor& input : inputs) key.shapes.push_back(input.shape());
  if (Status status = check_shapes(graph_.input_ports, key.shapes, is_read_); !status.is_ok())
    return status;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Tensor& value = key.values.emplace_back();
    if (!shapes_by_value_[i]) continue;
    if (inputs[i].elements() > kMaxShapingElements) {
      return unsupported("infer.values",
                         "a shape depends on the " + std::to_string(inputs[i].elements()) +
                             " values of input '" + graph_.input_ports[i].name + "'");
    }
    // The plan outlives the call, the caller's bytes may not.
    Result<Tensor> copy = Tensor::allocate(inputs[i].dtype(), inputs[i].shape());
    if (!copy) return copy.status();
    std::copy_n(inputs[i].raw(), inputs[i].size_bytes(), copy->raw());
    value = std::move(*copy);
  }
  return key;
}

std::shared_ptr<const Plan> NativeModel::find_plan(std::span<const Tensor> inputs) const {
  const auto found = std::find_if(plans_.begin(), plans_.end(),
                                  [&](const Entry& entry) { return entry.key.fits(inputs); });
  if (found == plans_.end()) return nullptr;
  plans_.splice(plans_.begin(), plans_, found);
  return plans_.front().plan;
}

Result<std::shared_ptr<const Plan>> NativeModel::plan_for(std::span<const Tensor> inputs) const {
  {
    const std::scoped_lock lock(mutex_);
    if (auto plan = find_plan(inputs)) return plan;
  }
  Result<Key> key = key_of(inputs);
  if (!key) return key.status();
  std::vector<graph::Fact> facts;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    facts.push_back({inputs[i].shape(), inputs[i].dtype(), std::nullopt});
    if (!key->values[i].is_empty()) facts.back().value = key->values[i];
  }
  // Made outside the lock: two sessions may make the same plan, which costs time and no more.
  Result<std::shared_ptr<const Plan>> made = make_plan(graph_, weights_, facts);
  if (!made) return made;
  const std::scoped_lock lock(mutex_);
  if (auto plan = find_plan(inputs)) return plan;
  plans_.push_front({std::move(*key), *made});
  if (plans_.size() > kMaxPlans) plans_.pop_back();
  return made;
}

Result<std::unique_ptr<Session>> NativeModel::new_session() const {
  return std::unique_ptr<Session>(std::make_unique<NativeSession>(
      std::static_pointer_cast<const NativeModel>(shared_from_this())));
}

}  // namespace sluice::native
