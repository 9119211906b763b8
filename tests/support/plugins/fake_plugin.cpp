// A plugin for the tests of loading one. Compiled several times, each with one thing wrong.
#include "sluice/nodes/infer/plugins/plugin.h"

namespace {

class FakeBackend final : public sluice::Backend {
 public:
  std::string_view name() const override { return FAKE_BACKEND; }
  sluice::Status available() const override { return sluice::Status::ok(); }
  sluice::Result<std::shared_ptr<const sluice::Model>> load(
      const std::string& path, const sluice::ModelOptions&) const override {
    return sluice::unsupported("model.unsupported", "it takes no model, and not " + path);
  }
};

}  // namespace

#ifndef FAKE_WITHOUT_SYMBOL
extern "C" const sluice::plugins::Plugin sluice_backend_plugin{
    FAKE_ABI, FAKE_VERSION, FAKE_BACKEND,
    [] { return std::unique_ptr<sluice::Backend>(new FakeBackend); }};
#endif
