#pragma once

#include "sluice/core/image.h"
#include "sluice/nodes/image/tensor_recipe.h"
#include "sluice/nodes/infer/gpu/step_programs.h"

#include <span>

namespace sluice {

// The picture's bytes, shared, as a tensor of [height, width, channels].
Tensor pixels_of(const Image& picture);

// Pictures' pixels, of one size, made into tensors. REQUIRES: a recipe that
// TensorOptions::suits_device took, and pictures that `place` takes.
class TensorStep final : public gpu::DeviceStep {
 public:
  explicit TensorStep(const TensorRecipe& recipe) : recipe_(recipe) {}
  Result<gpu::GpuPlan> plan(std::span<const Tensor> inputs) const override;
  Status compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs) const override;

 private:
  Result<Placement> placed(const Shape& pixels) const;

  const TensorRecipe recipe_;
};

}  // namespace sluice
