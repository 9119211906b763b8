#pragma once

#include "sluice/nodes/infer/gpu/gpu_model.h"

#include "tests/gpu/support/arguments.h"
#include "tests/gpu/support/models.h"
#include "tests/gpu/support/rig.h"

#include <memory>
#include <vector>

namespace sluice::gpu_suite {

// What the sections measure with: a network of images in fp16, as programs for lanes.
class LaneBench {
 public:
  LaneBench(Rig& rig, const Arguments& arguments) : rig_(rig), arguments_(arguments) {}

  Rig& rig() { return rig_; }
  bool is_quick() const { return arguments_.is_quick; }
  bool is_emulated() const { return arguments_.device == "emulated"; }
  double soak_s() const;
  // Smaller where the device is emulated.
  std::int64_t batch(std::int64_t wanted) const { return is_emulated() ? 1 + wanted / 64 : wanted; }
  std::int64_t size() const { return is_emulated() ? 16 : 224; }

  // ResNet-50 made ready for so many lanes. `ending`: what it gives.
  Result<std::vector<std::shared_ptr<DeviceProgram>>> programs(std::size_t lanes,
                                                               Ending ending = Ending::kScores);
  // Inputs in pinned memory, which all may read.
  Result<std::vector<Tensor>> inputs(std::int64_t batch);

 private:
  Rig& rig_;
  const Arguments& arguments_;
  std::shared_ptr<TestModel> model_;
  std::shared_ptr<gpu::GpuModel> on_gpu_;
  Ending ending_ = Ending::kScores;
};

void measure_callers(LaneBench& bench);   // M5: callers x lanes x batch
void measure_overlap(LaneBench& bench);   // M6: copies behind kernels
void measure_busy(LaneBench& bench);      // M7: the GPU at saturation
void measure_frames(LaneBench& bench);    // M8: from frames to the best classes
void measure_cpu_work(LaneBench& bench);  // M9: the CPU's work beside lanes
void soak(LaneBench& bench);              // M12

}  // namespace sluice::gpu_suite
