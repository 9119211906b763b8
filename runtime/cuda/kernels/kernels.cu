#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/kernels.h"
#include "sluice/runtime/cuda/kernels/space.h"

namespace sluice::cuda {
namespace {

bool has_valid_shape(const sluice_cuda_op& op) {
  if (op.inputs < 1 || op.inputs > SLUICE_CUDA_MAX_OPERANDS) return false;
  if (op.outputs < 1 || op.outputs > 2) return false;
  for (int i = 0; i < op.inputs; ++i) {
    if (op.in[i].rank < 0 || op.in[i].rank > kMaxRank) return false;
  }
  for (int i = 0; i < op.outputs; ++i) {
    if (op.out[i].rank < 0 || op.out[i].rank > kMaxRank) return false;
  }
  return true;
}

}  // namespace

Made make_kernel(const sluice_cuda_op& op) {
  if (!has_valid_shape(op)) return no_kernel("more operands or axes than there are");
  if (count_of(op.out[0]) == 0) {
    return made("nothing",
                [](CUstream_st*, const void* const*, void* const*) { return Outcome::ok(); });
  }
  switch (op.kind) {
    case SLUICE_CUDA_OP_MAP:
      return make_map(op);
    case SLUICE_CUDA_OP_COPY:
      return make_copy(op);
    case SLUICE_CUDA_OP_PAD:
      return make_pad(op);
    case SLUICE_CUDA_OP_GATHER:
      return make_gather(op);
    case SLUICE_CUDA_OP_REDUCE:
      return make_reduce(op);
    case SLUICE_CUDA_OP_ARG:
      return make_arg(op);
    case SLUICE_CUDA_OP_TOPK:
      return make_topk(op);
    case SLUICE_CUDA_OP_SOFTMAX:
      return make_softmax(op);
    case SLUICE_CUDA_OP_NORMALIZE:
      return make_normalize(op);
    case SLUICE_CUDA_OP_POOL:
      return make_pool(op);
    case SLUICE_CUDA_OP_LRN:
      return make_lrn(op);
    case SLUICE_CUDA_OP_RESIZE:
      return make_resize(op);
    case SLUICE_CUDA_OP_CONV:
      return make_conv(op);
    case SLUICE_CUDA_OP_CONV_TRANSPOSE:
      return make_conv_transpose(op);
    case SLUICE_CUDA_OP_MATMUL:
      return make_matmul(op);
    case SLUICE_CUDA_OP_ATTENTION:
      return make_attention(op);
    case SLUICE_CUDA_OP_IMAGE:
      return make_image(op);
    default:
      return no_kernel("an unknown kind of operator");
  }
}

}  // namespace sluice::cuda
