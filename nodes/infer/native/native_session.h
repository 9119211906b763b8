#pragma once

#include "sluice/core/model.h"
#include "sluice/nodes/infer/native/native_model.h"

#include <memory>
#include <vector>

namespace sluice::native {

// Runs a model's plans on the calling thread. Owns: an arena, as large as the largest plan so far
// needed; it is not charged to anybody's budget. A run for shapes that it has had before allocates
// nothing but the outputs, and these come from the pool.
class NativeSession final : public Session {
 public:
  explicit NativeSession(std::shared_ptr<const NativeModel> model) : model_(std::move(model)) {}

  Result<std::span<Tensor>> run(std::span<const Tensor> inputs,
                                const std::shared_ptr<MemoryBudget>& budget) override;

 private:
  Status take(std::span<const Tensor> inputs, const std::shared_ptr<MemoryBudget>& budget);
  Status prepare(const Plan& plan, const std::shared_ptr<MemoryBudget>& budget);
  Status compute(const Plan& plan);

  const std::shared_ptr<const NativeModel> model_;
  Buffer arena_;
  std::vector<Tensor> inputs_;         // of the run at work, as the plan takes them
  std::vector<Tensor> outputs_;        // of the latest run
  std::vector<std::byte*> addresses_;  // of the running plan's operands
};

}  // namespace sluice::native
