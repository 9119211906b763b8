#pragma once

#include "sluice/core/model.h"
#include "sluice/nodes/infer/graph/graph.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

// The models that are measured, written by code with random weights, equal ones in every run.
namespace sluice::gpu_suite {

struct TestModel {
  std::string name;
  std::string unit;                           // of what it makes in a second: "images/s"
  std::shared_ptr<const Model> native;        // for the CPU
  std::shared_ptr<const graph::Graph> graph;  // after the passes
  // Inputs for `batch` items, in the host's memory; the same for the same batch.
  std::vector<Tensor> inputs(std::int64_t batch) const;
};

enum class Ending { kScores, kTopK };

// "resnet50" (v1.5), "mobilenetv2", "minilm" (L6-H384, 128 tokens), or "tiny", which is small
// enough to be emulated. `ending`: what an image network gives, the scores of all classes or of the
// best five. Errors: infer.unknown; those of the native backend.
Result<TestModel> make_model(const std::string& name, Ending ending = Ending::kScores);

// The difference of two results, relative to the second, in the Euclidean norm over all outputs.
double relative_error(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected);

}  // namespace sluice::gpu_suite
