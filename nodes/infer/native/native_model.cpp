#include "sluice/nodes/infer/native/native_model.h"

#include "sluice/nodes/infer/graph/passes.h"
#include "sluice/nodes/infer/native/native_session.h"
#include "sluice/nodes/infer/session_inputs.h"

#include <algorithm>

namespace sluice::native {
namespace {

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
      plan_inputs_(graph_),
      weight_bytes_(constant_bytes(graph_)) {}

Result<std::vector<Shape>> NativeModel::output_shapes(std::span<const Shape> inputs) const {
  if (Status status = check_shapes(graph_.input_ports, inputs, plan_inputs_.is_read()); !status.is_ok())
    return status;
  return graph::infer_output_shapes(graph_, inputs, evaluate);
}

Result<std::shared_ptr<const Plan>> NativeModel::plan_for(std::span<const Tensor> inputs) const {
  if (auto plan = plans_.find(inputs)) return plan;
  Result<graph::PlanKey> key = plan_inputs_.key_of(inputs);
  if (!key) return key.status();
  // Made outside the lock: two sessions may make the same plan, which costs time and no more.
  Result<std::shared_ptr<const Plan>> made = make_plan(graph_, weights_, key->facts(inputs));
  if (!made) return made;
  return plans_.add(std::move(*key), inputs, std::move(*made));
}

Result<std::unique_ptr<Session>> NativeModel::new_session() const {
  return std::unique_ptr<Session>(std::make_unique<NativeSession>(
      std::static_pointer_cast<const NativeModel>(shared_from_this())));
}

}  // namespace sluice::native
