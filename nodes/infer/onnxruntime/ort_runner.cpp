#include "sluice/nodes/infer/onnxruntime/ort_runner.h"

#include <cstring>

namespace sluice::onnxruntime {

OrtRunner::OrtRunner(const OrtApi& api, OrtSession* session, const Model& model)
    : api_(&api), session_(session) {
  for (const ModelPort& port : model.inputs()) input_names_.push_back(port.name.c_str());
  for (const ModelPort& port : model.outputs()) output_names_.push_back(port.name.c_str());
}

Result<Value> OrtRunner::wrap(const Tensor& tensor) const {
  Value value(*api_);
  Status made =
      api_->call("infer.failed", kCreateTensorWithDataAsOrtValue, api_->cpu(),
                 static_cast<void*>(tensor.raw()), tensor.size_bytes(), tensor.shape().begin(),
                 tensor.shape().rank(), element_type_of(tensor.dtype()), value.out());
  if (!made) return made;
  return value;
}

Status OrtRunner::run_session(std::span<const Tensor> inputs,
                              std::vector<OrtValue*>& outputs) const {
  std::vector<Value> values;
  std::vector<const OrtValue*> given;
  for (const Tensor& input : inputs) {
    Result<Value> value = wrap(input);
    if (!value) return value.status();
    values.push_back(std::move(*value));
    given.push_back(values.back().get());
  }
  return api_->call("infer.failed", kRun, session_, static_cast<const OrtRunOptions*>(nullptr),
                    static_cast<const char* const*>(input_names_.data()),
                    static_cast<const OrtValue* const*>(given.data()), given.size(),
                    static_cast<const char* const*>(output_names_.data()), output_names_.size(),
                    outputs.data());
}

Status OrtRunner::run_into(std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
  std::vector<Value> values;
  std::vector<OrtValue*> places;
  for (const Tensor& output : outputs) {
    Result<Value> value = wrap(output);
    if (!value) return value.status();
    values.push_back(std::move(*value));
    places.push_back(values.back().get());
  }
  return run_session(inputs, places);
}

Result<std::vector<Tensor>> OrtRunner::run(std::span<const Tensor> inputs,
                                           const std::shared_ptr<MemoryBudget>& budget) {
  std::vector<OrtValue*> made(output_names_.size(), nullptr);
  const Status ran = run_session(inputs, made);
  std::vector<Value> values;
  for (OrtValue* value : made) values.emplace_back(*api_, value);
  if (!ran) return ran;
  std::vector<Tensor> outputs;
  for (const Value& value : values) {
    Result<Tensor> output = copy(value.get(), budget);
    if (!output) return output.status();
    outputs.push_back(std::move(*output));
  }
  return outputs;
}

Result<Tensor> OrtRunner::copy(OrtValue* value, const std::shared_ptr<MemoryBudget>& budget) const {
  constexpr const char* kReason = "infer.failed";
  std::int32_t is_tensor = 0;
  Status asked = api_->call(kReason, kIsTensor, static_cast<const OrtValue*>(value), &is_tensor);
  if (!asked) return asked;
  if (is_tensor == 0) return unsupported(kReason, "an output is no tensor");

  Owned<OrtTensorInfo, kReleaseTensorTypeAndShapeInfo> info(*api_);
  std::int32_t type = 0;
  std::size_t rank = 0;
  asked =
      api_->call(kReason, kGetTensorTypeAndShape, static_cast<const OrtValue*>(value), info.out());
  const OrtTensorInfo* known = info.get();
  if (asked) asked = api_->call(kReason, kGetTensorElementType, known, &type);
  if (asked) asked = api_->call(kReason, kGetDimensionsCount, known, &rank);
  if (!asked) return asked;
  const std::optional<DType> dtype = dtype_of(type);
  if (!dtype || rank > Shape::kMaxRank) {
    return unsupported(kReason, "an output has more than 8 dimensions or an unknown element type");
  }
  std::vector<std::int64_t> dims(rank);
  asked = api_->call(kReason, kGetDimensions, known, dims.data(), rank);
  void* bytes = nullptr;
  if (asked) asked = api_->call(kReason, kGetTensorMutableData, value, &bytes);
  if (!asked) return asked;

  Result<Tensor> copied = Tensor::allocate(*dtype, Shape(dims), budget);
  if (copied && copied->size_bytes() > 0) {
    std::memcpy(copied->raw(), bytes, copied->size_bytes());
  }
  return copied;
}

}  // namespace sluice::onnxruntime
