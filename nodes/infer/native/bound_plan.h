#pragma once

#include "sluice/nodes/infer/native/plan.h"

#include <span>
#include <vector>

namespace sluice::native {

// A plan and the memory of one run. Borrows all of it. Threads: one thread at a time.
class BoundPlan {
 public:
  // `outputs`: as the plan has them. `arena`: plan.arena_bytes. `addresses`: room for the
  // operands', which its owner keeps from run to run, so that a run allocates nothing.
  BoundPlan(const Plan& plan, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
            std::byte* arena, std::vector<std::byte*>& addresses);

  // REQUIRES: `step` is one of the plan's, and those before it have run.
  Status run(const Step& step) const;
  // Copies outputs that no step wrote where they are delivered. REQUIRES: all steps have run.
  void deliver() const;

 private:
  std::byte* address(const Place& place) const;

  const Plan& plan_;
  const std::span<const Tensor> inputs_, outputs_;
  std::byte* const arena_;
  std::vector<std::byte*>& addresses_;  // of the plan's operands
};

}  // namespace sluice::native
