#pragma once

#include "sluice/core/cuda_abi.h"

#include <string>

namespace sluice::cuda {

// All that the fastest way of computing an operator depends on, in one line: kind, views and
// parameters of one that libraries compute, and what its lane allows. Equal texts are equal
// operators, in any process. REQUIRES: OP_CONV, OP_CONV_TRANSPOSE, OP_MATMUL or OP_ATTENTION.
std::string operator_text(const sluice_cuda_op& op, const sluice_cuda_lane_options& options);

}  // namespace sluice::cuda
