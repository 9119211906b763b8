#pragma once

#include "sluice/nodes/infer/gpu/gpu_model.h"

#include "tests/gpu/support/rig.h"

#include <string>
#include <vector>

namespace sluice::gpu_suite {

// Times each operator of the model's plan for such inputs alone, and writes a table to stderr, the
// dearest first: microseconds, how often, what was chosen, and where it comes from.
Status profile(Rig& rig, gpu::GpuModel& model, const std::vector<Tensor>& inputs,
               const std::string& cache_folder);

}  // namespace sluice::gpu_suite
