#pragma once

#include "sluice/core/model.h"
#include "sluice/nodes/infer/graph/importer.h"
#include "sluice/nodes/infer/onnxruntime/ort_api.h"
#include "sluice/nodes/infer/plugins/shape_function.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sluice::onnxruntime {

// A model that ONNX Runtime has loaded. Its session may be run by many threads at once and computes
// on the thread that calls it, so that all of our sessions share one, and the weights in it.
class OrtModel final : public Model {
 public:
  // `interface`: what the file says of itself.
  // Errors: model.unsupported; infer.failed for what ONNX Runtime cannot be told.
  static Result<std::shared_ptr<const Model>> load(const OrtApi& api, const std::string& path,
                                                   const ModelOptions& options,
                                                   graph::Interface interface);

  const std::vector<ModelPort>& inputs() const override { return interface_.inputs; }
  const std::vector<ModelPort>& outputs() const override { return interface_.outputs; }
  const std::map<std::string, std::string>& metadata() const override {
    return interface_.metadata;
  }
  std::string_view backend() const override { return "onnxruntime"; }
  std::size_t weight_bytes() const override { return interface_.file_bytes; }
  bool may_wait() const override { return true; }
  Result<std::vector<Shape>> output_shapes(std::span<const Shape> inputs) const override;
  Result<std::unique_ptr<Session>> new_session() const override;

 private:
  using OwnedSession = Owned<OrtSession, kReleaseSession>;

  OrtModel(const OrtApi& api, OwnedSession session, graph::Interface interface,
           const std::string& path, const ModelOptions& options);

  static Result<OwnedSession> open_session(const OrtApi& api, const std::string& path);
  // Sets the outputs' types and dimensions to what ONNX Runtime found out.
  static Status infer_outputs(const OrtApi& api, OrtSession* session,
                              std::vector<ModelPort>& outputs);

  const OrtApi& api_;
  const OwnedSession session_;
  const graph::Interface interface_;
  const plugins::ShapeFunction shape_function_;
};

}  // namespace sluice::onnxruntime
