#include "sluice/nodes/infer/plugins/load_plugin.h"

#include <mutex>
#include <optional>

namespace sluice::plugins {
namespace {

// Stands for a backend whose plugin is loaded when it is first asked for, so that a program that
// never asks pays for a name.
class PluginBackend final : public Backend {
 public:
  explicit PluginBackend(std::string name) : name_(std::move(name)) {}

  std::string_view name() const override { return name_; }
  Status available() const override {
    const auto& backend = plugin();
    return backend ? (*backend)->available() : backend.status();
  }
  std::vector<BackendFact> facts() const override {
    const auto& backend = plugin();
    return backend ? (*backend)->facts() : std::vector<BackendFact>{};
  }
  Result<std::shared_ptr<const Model>> load(const std::string& path,
                                            const ModelOptions& options) const override {
    if (Status status = available(); !status.is_ok()) return status;
    return (*plugin())->load(path, options);
  }

 private:
  const Result<std::unique_ptr<Backend>>& plugin() const {
    std::call_once(once_, [this] { plugin_.emplace(load_plugin(name_, backend_folders())); });
    return *plugin_;
  }

  const std::string name_;
  mutable std::once_flag once_;
  mutable std::optional<Result<std::unique_ptr<Backend>>> plugin_;
};

// In the order in which `auto` tries them: of what ONNX Runtime takes it gets nothing wrong in the
// ONNX project's cases; OpenVINO does, though it is faster (docs/decisions/backend-plugins.md).
[[maybe_unused]] const bool kRegistered =
    register_backend(std::make_unique<PluginBackend>("onnxruntime")) &&
    register_backend(std::make_unique<PluginBackend>("openvino"));

}  // namespace
}  // namespace sluice::plugins
