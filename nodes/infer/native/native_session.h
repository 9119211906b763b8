#pragma once

#include "sluice/core/model.h"
#include "sluice/nodes/infer/native/native_model.h"

#include <memory>
#include <vector>

namespace sluice::native {

// Runs a model's plans on the calling thread. Owns: an arena, as large as the largest plan so far
// needed; it is not charged to anybody's budget. Nothing else is allocated in a run but the
// outputs.
class NativeSession final : public Session {
 public:
  explicit NativeSession(std::shared_ptr<const NativeModel> model) : model_(std::move(model)) {}

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs,
                                  const std::shared_ptr<MemoryBudget>& budget) override;

 private:
  Status prepare(const Plan& plan);

  const std::shared_ptr<const NativeModel> model_;
  Buffer arena_;
  std::vector<std::byte*> addresses_;  // of the running plan's operands
};

}  // namespace sluice::native
