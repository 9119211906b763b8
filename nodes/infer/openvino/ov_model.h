#pragma once

#include "sluice/core/model.h"
#include "sluice/nodes/infer/graph/importer.h"
#include "sluice/nodes/infer/openvino/ov_api.h"
#include "sluice/nodes/infer/plugins/shape_function.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sluice::openvino {

// A model that OpenVINO has read. Each session compiles it anew, for one thread: sessions that
// shared a compiled model would wait for each other. The price is the packed weights once a
// session, and the time to compile.
class OvModel final : public Model {
 public:
  // `interface`: what the file says of itself. Errors: model.unsupported.
  static Result<std::shared_ptr<const Model>> load(const OvApi& api, const std::string& path,
                                                   const ModelOptions& options,
                                                   graph::Interface interface);

  const std::vector<ModelPort>& inputs() const override { return interface_.inputs; }
  const std::vector<ModelPort>& outputs() const override { return interface_.outputs; }
  const std::map<std::string, std::string>& metadata() const override {
    return interface_.metadata;
  }
  std::string_view backend() const override { return "openvino"; }
  std::size_t weight_bytes() const override { return interface_.file_bytes; }
  bool may_wait() const override { return true; }
  Result<std::vector<Shape>> output_shapes(std::span<const Shape> inputs) const override;
  Result<std::unique_ptr<Session>> new_session() const override;

 private:
  OvModel(const OvApi& api, OwnedModel model, const std::string& path, const ModelOptions& options,
          graph::Interface interface)
      : api_(api),
        model_(std::move(model)),
        precision_(options.precision != Precision::kFp32 && api.has_bf16() ? "bf16" : "f32"),
        interface_(std::move(interface)),
        shape_function_(path, options) {}

  // OpenVINO forgets names on the way; what stays is the order of inputs and outputs.
  Status check_order() const;
  Result<std::shared_ptr<const CompiledModel>> compile() const;
  // Sets the outputs' types and dimensions to what OpenVINO found out.
  Status infer_outputs(const CompiledModel& compiled);

  const OvApi& api_;
  const OwnedModel model_;
  const char* const precision_;
  graph::Interface interface_;
  const plugins::ShapeFunction shape_function_;

  mutable std::mutex mutex_;
  // What loading compiled, to see whether it can be, for the first session. Guarded by mutex_.
  mutable std::shared_ptr<const CompiledModel> spare_;
};

}  // namespace sluice::openvino
