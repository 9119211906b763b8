#include "sluice/nodes/infer/openvino/ov_runner.h"

#include <cstring>

namespace sluice::openvino {
namespace {

constexpr const char* kReason = "infer.failed";

}  // namespace

OvRunner::OvRunner(const OvApi& api, std::shared_ptr<const CompiledModel> compiled,
                   std::vector<std::size_t> outputs)
    : api_(&api),
      compiled_(std::move(compiled)),
      outputs_(std::move(outputs)),
      writes_ours_(api),
      writes_its_own_(api) {}

Result<OvRunner> OvRunner::make(const OvApi& api, std::shared_ptr<const CompiledModel> compiled,
                                std::vector<std::size_t> outputs) {
  OvRunner runner(api, std::move(compiled), std::move(outputs));
  for (Request* request : {&runner.writes_ours_, &runner.writes_its_own_}) {
    const Status made = api.status_of(
        api.compiled_model_create_infer_request(runner.compiled_->get(), request->out()), kReason);
    if (!made) return made;
  }
  return runner;
}

Result<OvTensor> OvRunner::wrap(const Tensor& tensor) const {
  Shape dims = tensor.shape();
  const ov_shape_t shape{static_cast<std::int64_t>(dims.rank()),
                         const_cast<std::int64_t*>(dims.begin())};
  OvTensor wrapped(*api_);
  Status made =
      api_->status_of(api_->tensor_create_from_host_ptr(element_type_of(tensor.dtype()), shape,
                                                        tensor.raw(), wrapped.out()),
                      kReason);
  if (!made) return made;
  return wrapped;
}

Status OvRunner::set_inputs(const Request& request, std::span<const Tensor> inputs) const {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Result<OvTensor> input = wrap(inputs[i]);
    if (!input) return input.status();
    Status set = api_->status_of(
        api_->infer_request_set_input_tensor_by_index(request.get(), i, input->get()), kReason);
    if (!set) return set;
  }
  return Status::ok();
}

Result<OvTensor> OvRunner::output(const Request& request, std::size_t index) const {
  OvTensor tensor(*api_);
  Status got = api_->status_of(
      api_->infer_request_get_output_tensor_by_index(request.get(), index, tensor.out()), kReason);
  if (!got) return got;
  return tensor;
}

Result<Shape> OvRunner::shape_of(const OvTensor& tensor) const {
  ov_shape_t dims{};
  const ov_status_e code = api_->tensor_get_shape(tensor.get(), &dims);
  std::size_t elements = 0;
  // The C interface has no shape without dimensions and takes a scalar's for a wrong argument.
  if (code == INVALID_C_PARAM && api_->tensor_get_size(tensor.get(), &elements) == OK &&
      elements == 1) {
    return Shape();
  }
  if (code != OK) return api_->status_of(code, kReason);
  const std::span<const std::int64_t> extents(dims.dims, static_cast<std::size_t>(dims.rank));
  Result<Shape> shape =
      extents.size() > Shape::kMaxRank
          ? Result<Shape>(unsupported(kReason, "an output has more than 8 dimensions"))
          : Result<Shape>(Shape(extents));
  static_cast<void>(api_->shape_free(&dims));
  return shape;
}

Status OvRunner::run_into(std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
  if (Status status = set_inputs(writes_ours_, inputs); !status) return status;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Result<OvTensor> tensor = wrap(outputs[i]);
    if (!tensor) return tensor.status();
    Status set = api_->status_of(api_->infer_request_set_output_tensor_by_index(
                                     writes_ours_.get(), outputs_[i], tensor->get()),
                                 kReason);
    if (!set) return set;
  }
  Status ran = api_->status_of(api_->infer_request_infer(writes_ours_.get()), kReason);
  if (!ran) return ran;
  // An output that turned out smaller fits as well, so ask.
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Result<OvTensor> tensor = output(writes_ours_, outputs_[i]);
    if (!tensor) return tensor.status();
    const Result<Shape> shape = shape_of(*tensor);
    if (!shape) return shape.status();
    if (*shape != outputs[i].shape()) return internal(kReason, "an output has another shape");
  }
  return Status::ok();
}

Result<std::vector<Tensor>> OvRunner::run(std::span<const Tensor> inputs,
                                          const std::shared_ptr<MemoryBudget>& budget) {
  if (Status status = set_inputs(writes_its_own_, inputs); !status) return status;
  Status ran = api_->status_of(api_->infer_request_infer(writes_its_own_.get()), kReason);
  if (!ran) return ran;
  std::vector<Tensor> outputs;
  for (const std::size_t index : outputs_) {
    const Result<OvTensor> tensor = output(writes_its_own_, index);
    if (!tensor) return tensor.status();
    Result<Tensor> copied = copy(*tensor, budget);
    if (!copied) return copied.status();
    outputs.push_back(std::move(*copied));
  }
  return outputs;
}

Result<Tensor> OvRunner::copy(const OvTensor& tensor,
                              const std::shared_ptr<MemoryBudget>& budget) const {
  const Result<Shape> shape = shape_of(tensor);
  if (!shape) return shape.status();
  ov_element_type_e type{};
  void* bytes = nullptr;
  Status got = api_->status_of(api_->tensor_get_element_type(tensor.get(), &type), kReason);
  if (got) got = api_->status_of(api_->tensor_data(tensor.get(), &bytes), kReason);
  if (!got) return got;
  const std::optional<DType> dtype = dtype_of(type);
  if (!dtype) return unsupported(kReason, "an output has an unknown element type");
  Result<Tensor> copied = Tensor::allocate(*dtype, *shape, budget);
  if (copied && copied->size_bytes() > 0) {
    std::memcpy(copied->raw(), bytes, copied->size_bytes());
  }
  return copied;
}

}  // namespace sluice::openvino
