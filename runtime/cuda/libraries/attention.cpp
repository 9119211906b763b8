#include "sluice/runtime/cuda/libraries/attention.h"

#include "sluice/runtime/cuda/libraries/cudnn_operator.h"
#include "sluice/runtime/cuda/view.h"

namespace sluice::cuda {
namespace {

constexpr int kQ = 0, kK = 1, kV = 2, kMask = 3;

const char* what_is_wrong(const sluice_cuda_view& view) {
  if (view.rank != 4) return "operands that are not of four dims";
  if (element_count(view) == 0) return "no elements";
  if (view.strides[3] != 1) return "heads whose numbers do not lie side by side";
  if (offset_bytes(view) % 16 != 0) return "a beginning that is not at a multiple of 16 bytes";
  return nullptr;
}

const char* what_is_wrong(const sluice_cuda_op& op) {
  const std::int32_t type = op.out[0].type;
  if (type != SLUICE_CUDA_F16 && type != SLUICE_CUDA_BF16) return "a type that is not f16 or bf16";
  for (const auto* view : {&op.in[kQ], &op.in[kK], &op.in[kV], &op.out[0]}) {
    if (view->type != type) return "operands of different types";
    if (const char* wrong = what_is_wrong(*view)) return wrong;
  }
  if (op.inputs <= kMask) return nullptr;
  const sluice_cuda_view& mask = op.in[kMask];
  if (mask.type != type && mask.type != SLUICE_CUDA_F32) return "a mask that is not of floats";
  return what_is_wrong(mask);
}

CudnnTensor tensor_of(const sluice_cuda_view& view) {
  return {view.type, {view.dims, view.dims + view.rank}, {view.strides, view.strides + view.rank}};
}

// What is repeated is one to cuDNN: it repeats a mask itself along the batch, the heads and the
// rows.
CudnnTensor mask_of(sluice_cuda_view mask) {
  for (int axis = 0; axis < 3; ++axis) {
    if (mask.strides[axis] == 0) mask.dims[axis] = 1;
  }
  std::int64_t dense = mask.dims[3];
  for (int axis = 2; axis >= 0; --axis) {
    if (mask.dims[axis] == 1) mask.strides[axis] = dense;
    dense = mask.dims[axis] * mask.strides[axis];
  }
  return tensor_of(mask);
}

}  // namespace

MadeLibraryOperator make_attention(const LaneResources& lane, const sluice_cuda_op& op) {
  if (const char* wrong = what_is_wrong(op)) {
    return {Outcome::unsupported(std::string("cuDNN is not asked for ") + wrong), nullptr};
  }
  AttentionGraph description;
  description.q = tensor_of(op.in[kQ]);
  description.k = tensor_of(op.in[kK]);
  description.v = tensor_of(op.in[kV]);
  description.out = tensor_of(op.out[0]);
  description.scale = op.as.attention.scale;
  std::vector<int> operands = {kQ, kK, kV};
  if (op.inputs > kMask) {
    description.mask = mask_of(op.in[kMask]);
    operands.push_back(kMask);
  }
  operands.push_back(kOutput);
  MadeGraph graph = make_graph(lane.cudnn, description);
  if (!graph.outcome.is_ok()) return {std::move(graph.outcome), nullptr};
  return {Outcome::ok(), cudnn_operator(lane, "attention", op, std::move(graph.made), operands)};
}

}  // namespace sluice::cuda
