#pragma once

#include "sluice/core/model.h"
#include "sluice/nodes/infer/session_inputs.h"

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace sluice::plugins {

// What an engine that is not ours does in a session. It is given tensors that were checked, and are
// contiguous.
template <class T>
concept Runner = requires(T runner, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                          const std::shared_ptr<MemoryBudget>& budget) {
  // Computes straight into tensors that have the outputs' shapes. Fails where they have not.
  { runner.run_into(inputs, outputs) } -> std::same_as<Status>;
  // Computes where the engine likes, and copies into tensors from `budget`.
  { runner.run(inputs, budget) } -> std::same_as<Result<std::vector<Tensor>>>;
};

// A session in which nothing is copied from the second run with inputs of the same shapes on: the
// first one has shown what shapes come out, and the outputs then lie ready for the engine to write.
// A model whose outputs change their shapes with the inputs' values is found out by a run that does
// not fit, which is done again; all of its later outputs are copied.
template <Runner Engine>
class BufferedSession final : public Session {
 public:
  BufferedSession(std::shared_ptr<const Model> model, Engine engine)
      : model_(std::move(model)), engine_(std::move(engine)) {}

  Result<std::span<Tensor>> run(std::span<const Tensor> given,
                                const std::shared_ptr<MemoryBudget>& budget) override {
    outputs_.clear();
    Result<std::vector<Tensor>> outputs = outputs_for(given, budget);
    if (!outputs) return outputs.status();
    outputs_ = std::move(*outputs);
    return std::span<Tensor>(outputs_);
  }

 private:
  Result<std::vector<Tensor>> outputs_for(std::span<const Tensor> given,
                                          const std::shared_ptr<MemoryBudget>& budget) {
    std::vector<Shape> shapes;
    for (const Tensor& input : given) shapes.push_back(input.shape());
    if (Status status = check_shapes(model_->inputs(), shapes); !status.is_ok()) return status;
    std::vector<Tensor> inputs;
    for (std::size_t i = 0; i < given.size(); ++i) {
      Result<Tensor> input = contiguous_input(model_->inputs()[i], given[i], budget);
      if (!input) return input.status();
      inputs.push_back(std::move(*input));
    }

    const Key key = key_of(shapes);
    const auto known = varies_ ? known_.end() : known_.find(key);
    if (known != known_.end()) {
      Result<std::vector<Tensor>> outputs = allocate(known->second, budget);
      if (!outputs || engine_.run_into(inputs, *outputs)) return outputs;
    }
    Result<std::vector<Tensor>> outputs = engine_.run(inputs, budget);
    if (!outputs) return outputs;
    if (known != known_.end() && !fit(known->second, *outputs)) varies_ = true;
    if (known == known_.end() && !varies_) learn(key, *outputs);
    return outputs;
  }

  using Key = std::vector<std::int64_t>;
  // Sizes remembered; then it begins anew.
  static constexpr std::size_t kKept = 1024;

  // Extents, each shape led by its rank so that no two lists look alike.
  static Key key_of(std::span<const Shape> shapes) {
    Key key;
    for (const Shape& shape : shapes) {
      key.push_back(static_cast<std::int64_t>(shape.rank()));
      key.insert(key.end(), shape.begin(), shape.end());
    }
    return key;
  }

  Result<std::vector<Tensor>> allocate(std::span<const Shape> shapes,
                                       const std::shared_ptr<MemoryBudget>& budget) const {
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      Result<Tensor> made = Tensor::allocate(model_->outputs()[i].dtype, shapes[i], budget);
      if (!made) return made.status();
      tensors.push_back(std::move(*made));
    }
    return tensors;
  }

  static bool fit(std::span<const Shape> shapes, std::span<const Tensor> tensors) {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (tensors[i].shape() != shapes[i]) return false;
    }
    return true;
  }

  void learn(const Key& key, std::span<const Tensor> outputs) {
    if (known_.size() >= kKept) known_.clear();
    std::vector<Shape>& shapes = known_[key];
    for (const Tensor& output : outputs) shapes.push_back(output.shape());
  }

  const std::shared_ptr<const Model> model_;
  Engine engine_;
  std::map<Key, std::vector<Shape>> known_;  // the outputs' shapes, by the inputs'
  bool varies_ = false;
  std::vector<Tensor> outputs_;  // of the latest run
};

}  // namespace sluice::plugins
