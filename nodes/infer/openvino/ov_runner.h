#pragma once

#include "sluice/nodes/infer/openvino/ov_api.h"

#include <memory>
#include <span>
#include <vector>

namespace sluice::openvino {

// Runs a compiled model on the calling thread. See plugins::Runner.
class OvRunner {
 public:
  // `outputs`: the places, among all of the model's, of those that are wanted. Errors:
  // infer.failed.
  static Result<OvRunner> make(const OvApi& api, std::shared_ptr<const CompiledModel> compiled,
                               std::vector<std::size_t> outputs);

  Status run_into(std::span<const Tensor> inputs, std::span<const Tensor> outputs);
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs,
                                  const std::shared_ptr<MemoryBudget>& budget);

 private:
  OvRunner(const OvApi& api, std::shared_ptr<const CompiledModel> compiled,
           std::vector<std::size_t> outputs);

  // The tensor's bytes as OpenVINO sees them.
  Result<OvTensor> wrap(const Tensor& tensor) const;
  Status set_inputs(const Request& request, std::span<const Tensor> inputs) const;
  Result<OvTensor> output(const Request& request, std::size_t index) const;
  Result<Shape> shape_of(const OvTensor& tensor) const;
  Result<Tensor> copy(const OvTensor& tensor, const std::shared_ptr<MemoryBudget>& budget) const;

  const OvApi* api_;
  std::shared_ptr<const CompiledModel> compiled_;
  std::vector<std::size_t> outputs_;
  // Outputs that were set once stay set, so that the two ways of running have a request each.
  Request writes_ours_;
  Request writes_its_own_;
};

}  // namespace sluice::openvino
