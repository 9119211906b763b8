#pragma once

#include "sluice/runtime/cuda/operator.h"

// One function for each kind of operator; what each computes says core/cuda_abi.h.
// REQUIRES: op.kind is the function's, and no output is empty.
namespace sluice::cuda {

Made make_map(const sluice_cuda_op& op);
Made make_copy(const sluice_cuda_op& op);
Made make_pad(const sluice_cuda_op& op);
Made make_gather(const sluice_cuda_op& op);
Made make_reduce(const sluice_cuda_op& op);
Made make_arg(const sluice_cuda_op& op);
Made make_topk(const sluice_cuda_op& op);
Made make_softmax(const sluice_cuda_op& op);
Made make_normalize(const sluice_cuda_op& op);
Made make_pool(const sluice_cuda_op& op);
Made make_lrn(const sluice_cuda_op& op);
Made make_resize(const sluice_cuda_op& op);
Made make_conv(const sluice_cuda_op& op);
Made make_conv_transpose(const sluice_cuda_op& op);
Made make_matmul(const sluice_cuda_op& op);
Made make_attention(const sluice_cuda_op& op);
Made make_image(const sluice_cuda_op& op);

}  // namespace sluice::cuda
