#include "tests/nodes/infer/held_backend.h"

#include "sluice/core/model.h"
#include "sluice/nodes/infer/graph/importer.h"

#include "tests/nodes/infer/graph/onnx_writer.h"

#include <chrono>
#include <utility>

namespace sluice::testing {
namespace {

constexpr std::chrono::seconds kLongEnough{30};  // only waited for where the engine is broken

class HeldSession final : public Session {
 public:
  explicit HeldSession(Hold& hold) : hold_(hold) {}
  Result<std::span<Tensor>> run(std::span<const Tensor> inputs,
                                const std::shared_ptr<MemoryBudget>&) override {
    hold_.started.release();
    if (!hold_.may_end.try_acquire_for(kLongEnough)) {
      return internal("infer.failed", "nobody let it end: it held up who would have");
    }
    outputs_.assign(inputs.begin(), inputs.end());
    return std::span<Tensor>(outputs_);
  }

 private:
  Hold& hold_;
  std::vector<Tensor> outputs_;
};

class HeldModel final : public Model {
 public:
  HeldModel(std::string backend, Hold& hold, HeldRuns runs, graph::Interface interface)
      : backend_(std::move(backend)), hold_(hold), runs_(runs), interface_(std::move(interface)) {}
  const std::vector<ModelPort>& inputs() const override { return interface_.inputs; }
  const std::vector<ModelPort>& outputs() const override { return interface_.outputs; }
  const std::map<std::string, std::string>& metadata() const override {
    return interface_.metadata;
  }
  std::string_view backend() const override { return backend_; }
  std::size_t weight_bytes() const override { return 0; }
  bool may_wait() const override { return runs_ == HeldRuns::kMayWait; }
  Result<std::vector<Shape>> output_shapes(std::span<const Shape> inputs) const override {
    return std::vector<Shape>(inputs.begin(), inputs.end());
  }
  Result<std::unique_ptr<Session>> new_session() const override {
    return std::unique_ptr<Session>(std::make_unique<HeldSession>(hold_));
  }

 private:
  const std::string backend_;
  Hold& hold_;
  const HeldRuns runs_;
  const graph::Interface interface_;
};

class HeldBackend final : public Backend {
 public:
  HeldBackend(std::string name, Hold& hold, HeldRuns runs)
      : name_(std::move(name)), hold_(hold), runs_(runs) {}
  std::string_view name() const override { return name_; }
  Status available() const override { return Status::ok(); }
  Result<std::shared_ptr<const Model>> load(const std::string& path,
                                            const ModelOptions&) const override {
    if (!path.ends_with("/" + name_ + ".onnx"))
      return unsupported("model.unsupported", "no model of mine");
    Result<graph::Interface> interface = graph::read_interface(path);
    if (!interface) return interface.status();
    return std::shared_ptr<const Model>(
        std::make_shared<HeldModel>(name_, hold_, runs_, std::move(*interface)));
  }

 private:
  const std::string name_;
  Hold& hold_;
  const HeldRuns runs_;
};

}  // namespace

bool register_held_backend(const std::string& name, Hold& hold, HeldRuns runs) {
  return register_backend(std::make_unique<HeldBackend>(name, hold, runs));
}

std::string held_model(const std::string& name) {
  return OnnxWriter()
      .input("x", {"N", 1, 4, 4})
      .node("Held", {"x"}, {"y"})
      .output("y")
      .save(name + ".onnx");
}

}  // namespace sluice::testing
