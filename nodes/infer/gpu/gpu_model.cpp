#include "sluice/nodes/infer/gpu/gpu_model.h"

#include "sluice/nodes/infer/gpu/lowering.h"
#include "sluice/nodes/infer/graph/shape_inference.h"
#include "sluice/nodes/infer/native/compile.h"

#include <utility>

namespace sluice::gpu {
namespace {

sluice_cuda_type type_of(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kFp16:
      return SLUICE_CUDA_F16;
    case Arithmetic::kBf16:
      return SLUICE_CUDA_BF16;
    default:
      return SLUICE_CUDA_F32;
  }
}

}  // namespace

std::string_view to_string(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kTf32:
      return "tf32";
    case Arithmetic::kFp16:
      return "fp16";
    case Arithmetic::kBf16:
      return "bf16";
    default:
      return "fp32";
  }
}

GpuModel::GpuModel(std::shared_ptr<const graph::Graph> graph, std::shared_ptr<Device> device,
                   Arithmetic arithmetic)
    : graph_(std::move(graph)),
      device_(std::move(device)),
      arithmetic_(arithmetic),
      plan_inputs_(*graph_),
      constants_(device_) {}

Result<std::shared_ptr<const GpuPlan>> GpuModel::plan_for(std::span<const Tensor> inputs) {
  if (auto plan = plans_.find(inputs)) return plan;
  Result<graph::PlanKey> key = plan_inputs_.key_of(inputs);
  if (!key) return key.status();
  Result<std::vector<graph::Fact>> facts =
      graph::infer_facts(*graph_, key->facts(inputs), native::evaluate);
  if (!facts) return facts.status();
  Lowering lowering(*graph_, std::move(*facts), type_of(arithmetic_), constants_);
  Result<std::shared_ptr<const GpuPlan>> made = lowering.run();
  if (!made) return made;
  return plans_.add(std::move(*key), inputs, std::move(*made));
}

}  // namespace sluice::gpu
