#include "sluice/core/model.h"

namespace sluice {
namespace {

std::vector<std::unique_ptr<Backend>>& registry() {
  // Never destroyed: a session may be torn down while static objects go.
  static auto& backends = *new std::vector<std::unique_ptr<Backend>>;
  return backends;
}

}  // namespace

std::string Dim::to_string() const {
  if (is_static()) return std::to_string(size);
  return symbol.empty() ? "?" : symbol;
}

bool register_backend(std::unique_ptr<Backend> backend) {
  registry().push_back(std::move(backend));
  return true;
}

std::span<const std::unique_ptr<Backend>> backends() { return registry(); }

const Backend* find_backend(std::string_view name) {
  for (const auto& backend : backends()) {
    if (backend->name() == name) return backend.get();
  }
  return nullptr;
}

}  // namespace sluice
