#pragma once

#include "sluice/runtime/cuda/libraries/matmul_layout.h"
#include "sluice/runtime/cuda/tail.h"

namespace sluice::cuda {

// What cublasLt does to D before it is stored, after the bias.
enum class Epilogue : std::uint8_t { kNone, kRelu, kGelu };

constexpr int kNoOperand = -1;

// A product as cublasLt is asked for it, and what is left to do after it. `a`, `b`, `c`, `bias` say
// which of the operator's inputs they are.
struct Product {
  explicit Product(const sluice_cuda_view& out) : tail(out) {}

  Outcome outcome;
  sluice_cuda_op matmul = {};  // an OP_MATMUL, whose views `layout` is of
  MatmulLayout layout;
  int a = 0, b = 1;
  int c = kNoOperand;     // the matrix that is added, matmul.in[2]
  int bias = kNoOperand;  // the vector that the epilogue adds
  sluice_cuda_view bias_view = {};
  Epilogue epilogue = Epilogue::kNone;
  Tail tail;
};

// Of an OP_MATMUL. Operands are of one type, f16, bf16 or f32, and sums are f32. A bias that is a
// vector is fused if it is of that type, and so are ReLU and the tanh form of GELU; a bias of f32
// beside f16, other activations, and a vector where out's columns are not side by side cost a pass
// of their own over the output.
// Errors: unsupported, with what stands against it.
Product product_of_matmul(const sluice_cuda_op& op);

// Of an OP_CONV with windows of one pixel: pixels by channels, times channels by channels. A
// residual is the matrix that is added.
// Errors: unsupported, also where it is another convolution.
Product product_of_convolution(const sluice_cuda_op& op);

}  // namespace sluice::cuda
