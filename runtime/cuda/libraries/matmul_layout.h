#pragma once

#include "sluice/runtime/cuda/operator.h"

#include <cstdint>

namespace sluice::cuda {

// A matrix, or a batch of them, as BLAS sees it: columns one after the other in memory.
struct BlasMatrix {
  std::int64_t rows = 0, columns = 0;
  std::int64_t leading = 0;       // from one column to the next
  std::int64_t batch_stride = 0;  // from one matrix to the next; 0 repeats it
  bool transposed = false;        // the product takes it transposed
};

// An OP_MATMUL as BLAS's D = op(A) op(B) + beta C. A row-major out is D transposed, so that A is
// the operator's b, and B its a; where out's rows are what lies one after the other, A is a and B
// is b.
struct MatmulLayout {
  Outcome outcome;
  BlasMatrix a, b, d;
  BlasMatrix c;  // the bias, where it is a matrix; d otherwise
  std::int64_t batch = 1;
  bool is_swapped = true;  // A is the operator's b
};

// Batches whose matrices lie like one of more rows become one. A bias that is a vector is not
// looked at: BLAS adds it by its epilogue, which knows one along D's columns, so `is_swapped` has
// to hold. Errors: unsupported, where no stride of a matrix is 1, or dims of a batch are not one.
MatmulLayout matmul_layout(const sluice_cuda_op& op);

}  // namespace sluice::cuda
