#include "sluice/nodes/infer/graph/importer.h"
#include "sluice/nodes/infer/onnxruntime/ort_api.h"
#include "sluice/nodes/infer/onnxruntime/ort_model.h"
#include "sluice/nodes/infer/plugins/plugin.h"

namespace sluice::onnxruntime {
namespace {

// ONNX Runtime's CPU engine, in fp32.
class OrtBackend final : public Backend {
 public:
  OrtBackend() : api_(OrtApi::open(plugins::backend_folders())) {}

  std::string_view name() const override { return "onnxruntime"; }
  Status available() const override { return api_.status(); }
  std::vector<BackendFact> facts() const override {
    if (!api_) return {};
    return {{"version", (*api_)->version()}, {"library", (*api_)->path()}};
  }

  Result<std::shared_ptr<const Model>> load(const std::string& path,
                                            const ModelOptions& options) const override {
    if (!api_) return api_.status();
    if (options.precision == Precision::kBf16) {
      return unsupported("model.precision", "onnxruntime computes in fp32 only");
    }
    Result<graph::Interface> interface = graph::read_interface(path, {options.outputs});
    if (!interface) return interface.status();
    return OrtModel::load(**api_, path, options, std::move(*interface));
  }

 private:
  const Result<std::unique_ptr<const OrtApi>> api_;
};

}  // namespace
}  // namespace sluice::onnxruntime

extern "C" const sluice::plugins::Plugin sluice_backend_plugin{
    sluice::plugins::kAbi, SLUICE_VERSION, "onnxruntime",
    [] { return std::unique_ptr<sluice::Backend>(new sluice::onnxruntime::OrtBackend); }};
