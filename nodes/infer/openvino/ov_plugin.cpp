#include "sluice/nodes/infer/graph/importer.h"
#include "sluice/nodes/infer/openvino/ov_api.h"
#include "sluice/nodes/infer/openvino/ov_model.h"
#include "sluice/nodes/infer/plugins/plugin.h"

namespace sluice::openvino {
namespace {

// OpenVINO's CPU engine, in fp32, or in bf16 where the processor has it.
class OvBackend final : public Backend {
 public:
  OvBackend() : api_(OvApi::open(plugins::backend_folders())) {}

  std::string_view name() const override { return "openvino"; }
  Status available() const override { return api_.status(); }
  std::vector<BackendFact> facts() const override {
    if (!api_) return {};
    return {{"version", (*api_)->version()},
            {"library", (*api_)->path()},
            {"bf16", (*api_)->has_bf16() ? "yes" : "no"}};
  }

  Result<std::shared_ptr<const Model>> load(const std::string& path,
                                            const ModelOptions& options) const override {
    if (!api_) return api_.status();
    if (options.precision == Precision::kBf16 && !(*api_)->has_bf16()) {
      return unsupported("model.precision", "this CPU has no instructions for bf16");
    }
    Result<graph::Interface> interface = graph::read_interface(path, {options.outputs});
    if (!interface) return interface.status();
    return OvModel::load(**api_, path, options, std::move(*interface));
  }

 private:
  const Result<std::unique_ptr<const OvApi>> api_;
};

}  // namespace
}  // namespace sluice::openvino

extern "C" const sluice::plugins::Plugin sluice_backend_plugin{
    sluice::plugins::kAbi, SLUICE_VERSION, "openvino",
    [] { return std::unique_ptr<sluice::Backend>(new sluice::openvino::OvBackend); }};
