#pragma once

#include "sluice/core/model.h"
#include "sluice/nodes/infer/onnxruntime/ort_api.h"

#include <memory>
#include <span>
#include <vector>

namespace sluice::onnxruntime {

// Runs ONNX Runtime's session on the calling thread. See plugins::Runner.
class OrtRunner {
 public:
  // `model` has the session, and names and element types.
  OrtRunner(const OrtApi& api, OrtSession* session, const Model& model);

  Status run_into(std::span<const Tensor> inputs, std::span<const Tensor> outputs);
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs,
                                  const std::shared_ptr<MemoryBudget>& budget);

 private:
  // The tensor's bytes as ONNX Runtime sees them.
  Result<Value> wrap(const Tensor& tensor) const;
  Result<Tensor> copy(OrtValue* value, const std::shared_ptr<MemoryBudget>& budget) const;
  Status run_session(std::span<const Tensor> inputs, std::vector<OrtValue*>& outputs) const;

  const OrtApi* api_;
  OrtSession* session_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
};

}  // namespace sluice::onnxruntime
