#include "sluice/runtime/cuda/libraries/cudnn_operator.h"

#include "sluice/runtime/cuda/view.h"

#include <cudnn.h>

#include <array>

namespace sluice::cuda {
namespace {

constexpr std::string_view kLibrary = "cudnn ";

class CudnnOperator final : public LibraryOperator {
 public:
  CudnnOperator(const LaneResources& lane, const char* kind, const sluice_cuda_op& op,
                std::unique_ptr<CudnnGraph> graph, std::vector<int> operands)
      : lane_(lane),
        kind_(kind),
        op_(op),
        graph_(std::move(graph)),
        operands_(std::move(operands)) {}

  const char* name() const override { return name_.c_str(); }
  std::size_t ways() const override { return graph_->configurations(); }
  Outcome select(std::size_t way) override { return named(graph_->choose(way)); }
  std::string way() const override { return std::string(kLibrary) + graph_->text(); }
  Outcome select(const std::string& way) override {
    if (!way.starts_with(kLibrary)) return Outcome::unsupported("'" + way + "' is not cuDNN's");
    return named(graph_->choose(way.substr(kLibrary.size())));
  }
  Outcome run(CUstream_st* stream, const void* const* inputs, void* const* outputs) override;

 private:
  Outcome named(Outcome outcome) {
    if (outcome.is_ok()) name_ = "cudnn " + std::string(kind_) + " engine " + graph_->engine();
    return outcome;
  }

  const LaneResources& lane_;
  const char* kind_;
  const sluice_cuda_op op_;
  const std::unique_ptr<CudnnGraph> graph_;
  const std::vector<int> operands_;
  std::string name_;
};

Outcome CudnnOperator::run(CUstream_st* stream, const void* const* inputs, void* const* outputs) {
  std::array<void*, SLUICE_CUDA_MAX_OPERANDS + 2> pointers;
  for (std::size_t i = 0; i < operands_.size(); ++i) {
    const int place = operands_[i];
    if (place == kZeros) {
      pointers[i] = lane_.zeros;
    } else if (place == kOutput) {
      pointers[i] = start_of(op_.out[0], outputs[0]);
    } else {
      // cuDNN's interface has no const; it does not write to what its graph reads.
      pointers[i] = start_of(op_.in[place], const_cast<void*>(inputs[place]));
    }
  }
  const cudnnStatus_t status = cudnnSetStream(lane_.cudnn.handle, stream);
  if (status != CUDNN_STATUS_SUCCESS) {
    return Outcome::failed(std::string("cudnnSetStream: ") + cudnnGetErrorString(status));
  }
  return graph_->run({pointers.data(), operands_.size()}, lane_.workspace);
}

}  // namespace

CudnnTensor cudnn_tensor(const sluice_cuda_view& view) {
  CudnnTensor tensor;
  tensor.type = view.type;
  tensor.dims.assign(view.dims, view.dims + view.rank);
  tensor.strides.assign(view.strides, view.strides + view.rank);
  // From the innermost dim outwards: the channels, the last of the image, ..., the batch.
  std::int64_t dense = 1;
  for (int i = 0; i < view.rank; ++i) {
    const auto axis = static_cast<std::size_t>(i == 0 ? 1 : i == view.rank - 1 ? 0 : view.rank - i);
    if (tensor.dims[axis] == 1) tensor.strides[axis] = dense;
    dense = tensor.dims[axis] * tensor.strides[axis];
  }
  return tensor;
}

std::unique_ptr<LibraryOperator> cudnn_operator(const LaneResources& lane, const char* kind,
                                                const sluice_cuda_op& op,
                                                std::unique_ptr<CudnnGraph> graph,
                                                std::vector<int> operands) {
  return std::make_unique<CudnnOperator>(lane, kind, op, std::move(graph), std::move(operands));
}

}  // namespace sluice::cuda
