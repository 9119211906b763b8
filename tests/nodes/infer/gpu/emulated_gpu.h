#pragma once

#include "sluice/core/device.h"
#include "sluice/core/model.h"
#include "sluice/nodes/infer/gpu/gpu_model.h"

#include <memory>

// What a GPU computes, on the host: graphs are lowered as for a card, and the operators are our own
// kernels, emulated.
namespace sluice::testing {

// A device whose memory is the host's.
std::shared_ptr<Device> emulated_gpu();

// The native backend's models as programs for that device. Sessions run each input `runs` times
// and give the last results: the second time work is recorded, the third time repeated.
class EmulatedGpuBackend final : public Backend {
 public:
  explicit EmulatedGpuBackend(gpu::Arithmetic arithmetic, int runs = 1)
      : arithmetic_(arithmetic), runs_(runs) {}

  std::string_view name() const override { return "emulated_gpu"; }
  Status available() const override { return Status::ok(); }
  Result<std::shared_ptr<const Model>> load(const std::string& path,
                                            const ModelOptions& options) const override;

 private:
  const gpu::Arithmetic arithmetic_;
  const int runs_;
};

// The graph of a native model, which it keeps alive.
std::shared_ptr<const graph::Graph> graph_of(std::shared_ptr<const Model> native);

}  // namespace sluice::testing
