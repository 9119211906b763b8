#pragma once

#include "sluice/core/model.h"
#include "sluice/nodes/infer/graph/graph.h"

#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice::plugins {

// Model::output_shapes for engines that tell shapes only by running: the rules of the native
// engine where they know the model's operators, else a run on zeros. Reads the file a second time,
// when it is first asked. Threads: thread-safe.
class ShapeFunction {
 public:
  ShapeFunction(std::string path, ModelOptions options)
      : path_(std::move(path)), options_(std::move(options)) {}

  // `model` is the one that the file was loaded into.
  Result<std::vector<Shape>> shapes(const Model& model, std::span<const Shape> inputs) const;

 private:
  const graph::Graph* graph() const;

  const std::string path_;
  const ModelOptions options_;
  mutable std::once_flag once_;
  mutable std::optional<graph::Graph> graph_;
};

}  // namespace sluice::plugins
