#include "sluice/core/spec.h"

#include <algorithm>

namespace sluice {
namespace {

// A copy of `spec` that `change` was made to.
template <class Change>
Spec changed(const Spec& spec, Change change) {
  Spec copy = spec;
  change(copy);
  return copy;
}

}  // namespace

Spec Spec::dynamic_inputs(std::string doc) const {
  return changed(*this, [&](Spec& spec) { spec.dynamic_inputs_ = std::move(doc); });
}

Spec Spec::dynamic_outputs(std::string doc) const {
  return changed(*this, [&](Spec& spec) { spec.dynamic_outputs_ = std::move(doc); });
}

Spec Spec::stateless() const {
  return changed(*this, [](Spec& spec) { spec.concurrency_ = Concurrency::kStateless; });
}

Spec Spec::serial() const {
  return changed(*this, [](Spec& spec) { spec.concurrency_ = Concurrency::kSerial; });
}

Spec Spec::blocking() const {
  return changed(*this, [](Spec& spec) { spec.execution_ = ExecutionClass::kBlocking; });
}

Spec Spec::source() const {
  return changed(*this, [](Spec& spec) { spec.kind_ = NodeKind::kSource; });
}

Spec Spec::sink() const {
  return changed(*this, [](Spec& spec) { spec.kind_ = NodeKind::kSink; });
}

Spec Spec::batches() const {
  return changed(*this, [](Spec& spec) { spec.batches_ = true; });
}

Spec Spec::runs_on_devices() const {
  return changed(*this, [](Spec& spec) { spec.devices_ = true; });
}

Spec Spec::rejects(std::string reason, std::string doc) const {
  return changed(*this, [&](Spec& spec) {
    spec.rejects_.push_back({std::move(reason), std::move(doc)});
  });
}

Spec Spec::notes(std::string text) const {
  return changed(*this, [&](Spec& spec) { spec.notes_ = std::move(text); });
}

Spec Spec::example(std::string yaml) const {
  return changed(*this, [&](Spec& spec) { spec.example_ = std::move(yaml); });
}

const OptionConstant* Spec::find_option(std::string_view name) const {
  const auto found = std::ranges::find(options_, name, &OptionConstant::name);
  return found == options_.end() ? nullptr : *found;
}

}  // namespace sluice
