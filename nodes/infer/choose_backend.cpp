#include "sluice/nodes/infer/choose_backend.h"

#include <vector>

namespace sluice {
namespace {

Result<ChosenBackend> load(const Backend& backend, const std::string& path,
                           const ModelOptions& options, std::string why) {
  if (Status status = backend.available(); !status.is_ok()) return status;
  Result<std::shared_ptr<const Model>> model = backend.load(path, options);
  if (!model) return model.status();
  return ChosenBackend{std::move(*model), std::move(why)};
}

Result<ChosenBackend> load_wanted(const std::string& wanted, const std::string& path,
                                  const ModelOptions& options, const Backend* native,
                                  std::span<const Backend* const> others) {
  std::vector<const Backend*> all(others.begin(), others.end());
  if (native != nullptr) all.insert(all.begin(), native);
  for (const Backend* backend : all) {
    if (backend->name() == wanted) return load(*backend, path, options, "the pipeline names it");
  }
  return unsupported("backend.missing", "backend " + wanted + " is not linked into this program");
}

}  // namespace

Result<ChosenBackend> choose_backend(const std::string& wanted, const std::string& path,
                                     const ModelOptions& options, const Backend* native,
                                     std::span<const Backend* const> others) {
  if (wanted != "auto") return load_wanted(wanted, path, options, native, others);
  Result<ChosenBackend> first =
      native == nullptr ? unsupported("backend.missing", "no engine is linked into this program")
                        : load(*native, path, options, "it knows all of the model's operators");
  // No other backend mends a file that is broken, or a CPU.
  if (first || first.status().reason() != "model.unsupported") return first;
  const Status missing = first.status();
  std::string tried;
  for (const Backend* other : others) {
    Result<ChosenBackend> chosen =
        load(*other, path, options, "native cannot run it: " + missing.message());
    if (chosen) return chosen;
    const std::string name(other->name());
    tried += chosen.status().code() == Code::kUnavailable
                 ? "; " + name + " is not there"
                 : "; nor does " + name + " take it: " + chosen.status().message();
  }
  return Status(missing.code(), missing.reason(), missing.message() + tried);
}

}  // namespace sluice
