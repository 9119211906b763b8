#include "sluice/nodes/infer/openvino/ov_model.h"

#include "sluice/nodes/infer/openvino/ov_runner.h"
#include "sluice/nodes/infer/plugins/buffered_session.h"

#include <algorithm>
#include <utility>

namespace sluice::openvino {
namespace {

constexpr const char* kReason = "model.unsupported";

Result<std::vector<Dim>> dims_of(const OvApi& api, const OutputPort& port) {
  ov_partial_shape_t shape{};
  Status asked = api.status_of(api.port_get_partial_shape(port.get(), &shape), kReason);
  if (!asked) return asked;
  std::vector<Dim> dims;
  if (shape.rank.min == shape.rank.max) {
    for (std::int64_t axis = 0; axis < shape.rank.max; ++axis) {
      const ov_dimension_t& dim = shape.dims[axis];
      dims.push_back({dim.min == dim.max ? dim.max : -1, ""});
    }
  }
  api.partial_shape_free(&shape);
  return dims;
}

// OpenVINO's symbols are its own, so those of the file stay where the sizes agree with them.
void refine(std::vector<Dim>& declared, const std::vector<Dim>& inferred) {
  if (declared.size() != inferred.size()) {
    declared = inferred;
    return;
  }
  for (std::size_t axis = 0; axis < inferred.size(); ++axis) {
    if (inferred[axis].is_static()) declared[axis] = inferred[axis];
  }
}

}  // namespace

Result<std::shared_ptr<const Model>> OvModel::load(const OvApi& api, const std::string& path,
                                                   const ModelOptions& options,
                                                   graph::Interface interface) {
  OwnedModel model(api);
  Status loaded =
      api.status_of(api.core_read_model(api.core(), path.c_str(), nullptr, model.out()), kReason);
  std::shared_ptr<OvModel> made;
  if (loaded) {
    made.reset(new OvModel(api, std::move(model), path, options, std::move(interface)));
    loaded = made->check_order();
  }
  if (loaded) {
    Result<std::shared_ptr<const CompiledModel>> compiled = made->compile();
    loaded = compiled.status();
    if (loaded) made->spare_ = std::move(*compiled);
  }
  if (loaded) loaded = made->infer_outputs(*made->spare_);
  // The file is a model, so what OpenVINO cannot load of it is beyond this backend.
  if (!loaded)
    return unsupported(kReason, "cannot load " + path + ": OpenVINO says: " + loaded.message());
  return std::shared_ptr<const Model>(std::move(made));
}

Status OvModel::check_order() const {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  Status asked = api_.status_of(api_.model_inputs_size(model_.get(), &inputs), kReason);
  if (asked) asked = api_.status_of(api_.model_outputs_size(model_.get(), &outputs), kReason);
  if (!asked) return asked;
  const std::vector<std::size_t>& places = interface_.output_places;
  const auto is_there = [&](std::size_t place) { return place < outputs; };
  if (inputs == interface_.inputs.size() && std::ranges::all_of(places, is_there)) {
    return Status::ok();
  }
  return unsupported(kReason, "it made " + std::to_string(inputs) + " inputs and " +
                                  std::to_string(outputs) + " outputs of the model's");
}

Result<std::shared_ptr<const CompiledModel>> OvModel::compile() const {
  auto compiled = std::make_shared<CompiledModel>(api_);
  // One thread, and it is the caller, which must not be tied to a core.
  constexpr std::size_t kArguments = 8;
  Status made = api_.status_of(
      api_.core_compile_model(api_.core(), model_.get(), "CPU", kArguments, compiled->out(),
                              "INFERENCE_NUM_THREADS", "1", "NUM_STREAMS", "1",
                              "INFERENCE_PRECISION_HINT", precision_, "ENABLE_CPU_PINNING", "NO"),
      kReason);
  if (!made) return made;
  return std::shared_ptr<const CompiledModel>(std::move(compiled));
}

Status OvModel::infer_outputs(const CompiledModel& compiled) {
  for (std::size_t i = 0; i < interface_.outputs.size(); ++i) {
    ModelPort& output = interface_.outputs[i];
    OutputPort port(api_);
    ov_element_type_e type{};
    Status asked = api_.status_of(api_.compiled_model_output_by_index(
                                      compiled.get(), interface_.output_places[i], port.out()),
                                  kReason);
    if (asked) asked = api_.status_of(api_.port_get_element_type(port.get(), &type), kReason);
    if (!asked) return asked;
    const std::optional<DType> dtype = dtype_of(type);
    if (!dtype)
      return unsupported(kReason, "output '" + output.name + "' has an unknown element type");
    output.dtype = *dtype;
    Result<std::vector<Dim>> dims = dims_of(api_, port);
    if (!dims) return dims.status();
    refine(output.dims, *dims);
  }
  return Status::ok();
}

Result<std::vector<Shape>> OvModel::output_shapes(std::span<const Shape> inputs) const {
  if (Status status = check_shapes(interface_.inputs, inputs); !status.is_ok()) return status;
  return shape_function_.shapes(*this, inputs);
}

Result<std::unique_ptr<Session>> OvModel::new_session() const {
  std::shared_ptr<const CompiledModel> compiled;
  {
    const std::scoped_lock lock(mutex_);
    compiled = std::exchange(spare_, nullptr);
  }
  if (compiled == nullptr) {
    Result<std::shared_ptr<const CompiledModel>> anew = compile();
    if (!anew) return anew.status();
    compiled = std::move(*anew);
  }
  Result<OvRunner> runner = OvRunner::make(api_, std::move(compiled), interface_.output_places);
  if (!runner) return runner.status();
  return std::unique_ptr<Session>(
      std::make_unique<plugins::BufferedSession<OvRunner>>(shared_from_this(), std::move(*runner)));
}

}  // namespace sluice::openvino
