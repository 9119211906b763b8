#include "sluice/nodes/infer/session_program.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sluice {

Result<std::shared_ptr<DeviceProgram>> SessionProgram::create(std::shared_ptr<const Model> model,
                                                              std::string name) {
  Result<std::unique_ptr<Session>> session = model->new_session();
  if (!session) return session.status();
  return std::shared_ptr<DeviceProgram>(
      new SessionProgram(std::move(model), std::move(name), std::move(*session)));
}

Result<DeviceProgram::Plan> SessionProgram::plan(std::span<const Tensor> inputs) {
  constexpr std::size_t kKept = 1024;  // plans remembered; then it begins anew
  std::vector<std::int64_t> extents;
  std::vector<Shape> shapes;
  for (const Tensor& input : inputs) {
    extents.push_back(static_cast<std::int64_t>(input.shape().rank()));
    extents.insert(extents.end(), input.shape().begin(), input.shape().end());
    shapes.push_back(input.shape());
  }
  const std::scoped_lock lock(mutex_);
  if (const auto found = plans_.find(extents); found != plans_.end()) return found->second;

  Result<std::vector<Shape>> outputs = model_->output_shapes(shapes);
  if (!outputs) return outputs.status();
  Plan plan;
  for (std::size_t i = 0; i < outputs->size(); ++i) {
    plan.outputs.push_back({model_->outputs()[i].dtype, (*outputs)[i]});
  }
  if (plans_.size() >= kKept) plans_.clear();
  return plans_.emplace(std::move(extents), std::move(plan)).first->second;
}

Status SessionProgram::run(const Run& run) {
  Result<std::span<Tensor>> results = session_->run(run.inputs, nullptr);
  if (!results) return results.status();
  Status status;
  for (std::size_t i = 0; i < results->size(); ++i) {
    const Tensor& result = (*results)[i];
    const Tensor& output = run.outputs[i];
    if (result.dtype() != output.dtype() || !(result.shape() == output.shape())) {
      status = internal("infer.failed", "output " + std::to_string(i) + " is " +
                                            result.shape().to_string() + ", not " +
                                            output.shape().to_string() + " as was planned");
      break;
    }
    if (result.size_bytes() > 0) std::memcpy(output.raw(), result.raw(), result.size_bytes());
  }
  std::ranges::fill(*results, Tensor());
  return status;
}

}  // namespace sluice
