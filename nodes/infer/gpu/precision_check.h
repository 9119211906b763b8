#pragma once

#include "sluice/core/model.h"
#include "sluice/nodes/infer/gpu/gpu_model.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice::gpu {

// How far a model's results in 16-bit arithmetic are from those of the CPU in fp32.
struct PrecisionCheck {
  // The largest over the outputs: the norm of the difference by that of the result. Infinite where
  // a result is not finite; none where no inputs could be made up.
  std::optional<double> error;
  std::string why;  // none
};

// What `precision: auto` lets pass. Classifiers and text recognition keep their answers below it.
constexpr double kLargestError = 0.02;

// Runs the model on both, with made-up inputs: batch 1, extents that the file leaves open as small
// as the model takes them, numbers evenly from -1 to 1, integers 1. Blocks: for both runs.
// Errors: those of the device.
Result<PrecisionCheck> check_precision(const Model& cpu, std::shared_ptr<GpuModel> gpu);

// Inputs of that kind; none when the model takes none of the shapes that were tried.
std::vector<Tensor> made_up_inputs(const Model& model);

}  // namespace sluice::gpu
