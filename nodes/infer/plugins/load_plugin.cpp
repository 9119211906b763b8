#include "sluice/nodes/infer/plugins/load_plugin.h"

#include "sluice/nodes/infer/plugins/plugin.h"

#include <dlfcn.h>

#include <string_view>

namespace sluice::plugins {
namespace {

namespace fs = std::filesystem;

Status unavailable(const char* reason, std::string message) {
  return {Code::kUnavailable, reason, std::move(message)};
}

Status check(const Plugin& plugin, const std::string& name, const fs::path& path) {
  const bool same_abi = plugin.abi == kAbi;
  if (!same_abi || std::string_view(plugin.version) != SLUICE_VERSION) {
    return unavailable("backend.version",
                       path.string() + " was built for " +
                           (same_abi ? "Sluice " + std::string(plugin.version)
                                     : "plugin interface " + std::to_string(plugin.abi)) +
                           ", this is Sluice " SLUICE_VERSION " with plugin interface " +
                           std::to_string(kAbi));
  }
  if (plugin.backend != name) {
    return unavailable("backend.plugin",
                       path.string() + " is the plugin of '" + plugin.backend + "'");
  }
  return Status::ok();
}

}  // namespace

Result<std::unique_ptr<Backend>> load_plugin(const std::string& name, const Folders& folders) {
  const Result<fs::path> path = find_plugin(name, folders);
  if (!path) return path.status();
  void* library = dlopen(path->c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return unavailable("backend.plugin", "cannot load " + path->string() + ": " + dlerror());
  }
  const auto* plugin = static_cast<const Plugin*>(dlsym(library, kSymbol));
  if (plugin == nullptr) {
    return unavailable("backend.plugin",
                       path->string() + " is no backend plugin: it has no " + kSymbol);
  }
  if (Status status = check(*plugin, name, *path); !status.is_ok()) return status;
  return plugin->make();
}

}  // namespace sluice::plugins
