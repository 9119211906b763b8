#pragma once

#include "sluice/core/cuda_abi.h"
#include "sluice/core/device_program.h"
#include "sluice/nodes/infer/gpu/plan_source.h"

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::gpu {

// A model, or a step of a node, as the program of a lane, with handles and a workspace of its own.
// Work with the same inputs, outputs and arena is recorded when it comes for the second time, and
// from then on one launch. Threads, errors: as DeviceProgram says; device.unsupported for an
// operator that the device cannot compute. Blocks: the first run of a shape, while its operators
// are chosen.
class GpuProgram final : public DeviceProgram {
 public:
  // REQUIRES: the source's device computes operators.
  static Result<std::shared_ptr<DeviceProgram>> create(std::shared_ptr<PlanSource> source,
                                                       std::string name,
                                                       const std::string& cache_folder);
  ~GpuProgram() override;

  std::string_view name() const override { return name_; }
  Result<Plan> plan(std::span<const Tensor> inputs) override;
  Status run(const Run& run) override;

 private:
  // The pointers that work was queued with, in the order inputs, outputs, arena.
  using Addresses = std::vector<const std::byte*>;
  struct Recorded {
    Addresses addresses;
    sluice_cuda_graph* graph = nullptr;  // null: it came once
  };
  using Compiled = std::shared_ptr<sluice_cuda_compiled>;
  // A plan made ready for this lane.
  struct Ready {
    std::shared_ptr<const GpuPlan> plan;
    std::vector<Compiled> steps;
    std::list<Recorded> recorded;  // latest first
    bool can_record = true;
  };

  GpuProgram(std::shared_ptr<PlanSource> source, std::string name);
  Status open(const std::string& cache_folder);
  Result<Ready*> ready(std::shared_ptr<const GpuPlan> plan);
  Result<Compiled> compiled(const Step& step);
  void drop_unused();
  Status queue(const Ready& ready, const Run& run);
  // The recorded work at these addresses; null where it has to be queued step by step.
  Result<sluice_cuda_graph*> recorded(Ready& ready, const Run& run, Addresses addresses);
  Status record(Ready& ready, const Run& run, Recorded& into);
  void forget(Ready& ready);
  void retire(sluice_cuda_graph* graph);
  Status check(int result, std::string_view what) const;

  const std::shared_ptr<PlanSource> source_;
  const std::string name_;
  const sluice_cuda_api& api_;
  sluice_cuda_lane* lane_ = nullptr;
  std::map<std::string, Compiled> compiled_;  // by the operator's bytes
  std::list<Ready> ready_;                    // latest first
  // What is not wanted any more, which the device may still be at.
  struct Retired {
    sluice_cuda_graph* graph;
    std::uint64_t at_run;
    Compiled compiled = nullptr;
  };
  std::deque<Retired> retired_;
  std::uint64_t runs_ = 0;
};

}  // namespace sluice::gpu
