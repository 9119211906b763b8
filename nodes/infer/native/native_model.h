#pragma once

#include "sluice/core/model.h"
#include "sluice/nodes/infer/graph/plan_cache.h"
#include "sluice/nodes/infer/native/plan.h"

#include <memory>
#include <vector>

namespace sluice::native {

// A model for the embedded CPU engine: its graph after the passes, and its weights as the kernels
// want them. Plans are made for the shapes that come, and the latest kept for all sessions.
class NativeModel final : public Model {
 public:
  // `precision`: of products; where the CPU does not have it they are in fp32. `tuner`: chooses
  // between algorithms when a plan is made; it outlives the model.
  // Errors: model.unsupported, infer.shape (constants that do not fit each other).
  static Result<std::shared_ptr<const Model>> make(graph::Graph graph, kernels::Precision precision,
                                                   Tuner* tuner = nullptr);

  const std::vector<ModelPort>& inputs() const override { return graph_.input_ports; }
  const std::vector<ModelPort>& outputs() const override { return outputs_; }
  const std::map<std::string, std::string>& metadata() const override { return graph_.metadata; }
  std::string_view backend() const override { return "native"; }
  std::size_t weight_bytes() const override { return weight_bytes_; }
  Result<std::vector<Shape>> output_shapes(std::span<const Shape> inputs) const override;
  Result<std::unique_ptr<Session>> new_session() const override;

  const graph::Graph& graph() const { return graph_; }

  // The plan for inputs like these, made now unless a session has had the same before.
  // Errors: infer.shape, infer.values.
  Result<std::shared_ptr<const Plan>> plan_for(std::span<const Tensor> inputs) const;

 private:
  NativeModel(graph::Graph graph, std::vector<PackedWeights> weights);

  const graph::Graph graph_;
  const std::vector<PackedWeights> weights_;  // one a node
  std::vector<ModelPort> outputs_;
  const graph::PlanInputs plan_inputs_;
  std::size_t weight_bytes_ = 0;
  mutable graph::PlanCache<Plan> plans_;
};

}  // namespace sluice::native
