#include "sluice/nodes/infer/gpu/gpu_program.h"

#include "tests/gpu/support/lane_sections.h"

namespace sluice::gpu_suite {

double LaneBench::soak_s() const {
  if (arguments_.seconds > 0) return arguments_.seconds;
  return is_emulated() ? 2 : is_quick() ? 20 : 300;
}

Result<std::vector<std::shared_ptr<DeviceProgram>>> LaneBench::programs(std::size_t lanes,
                                                                        Ending ending) {
  if (!model_ || ending != ending_) {
    Result<TestModel> model = make_model(is_emulated() ? "tiny" : "resnet50", ending);
    if (!model) return model.status();
    model_ = std::make_shared<TestModel>(std::move(*model));
    on_gpu_ = std::make_shared<gpu::GpuModel>(model_->graph, rig_.device, gpu::Arithmetic::kFp16);
    ending_ = ending;
  }
  std::vector<std::shared_ptr<DeviceProgram>> all;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    Result<std::shared_ptr<DeviceProgram>> program =
        gpu::GpuProgram::create(on_gpu_, model_->name, arguments_.cache_folder);
    if (!program) return program.status();
    all.push_back(std::move(*program));
  }
  return all;
}

Result<std::vector<Tensor>> LaneBench::inputs(std::int64_t batch) {
  std::vector<Tensor> all;
  for (const Tensor& input : model_->inputs(batch)) {
    Result<Tensor> pinned = to_pinned(*rig_.device, input);
    if (!pinned) return pinned.status();
    all.push_back(std::move(*pinned));
  }
  return all;
}

}  // namespace sluice::gpu_suite
