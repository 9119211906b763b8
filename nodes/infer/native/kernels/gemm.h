#pragma once

#include "sluice/nodes/infer/native/kernels/types.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice::kernels {

// How C of a Gemm repeats over the M x N result.
enum class GemmBias : std::uint8_t { kNone, kScalar, kPerRow, kPerColumn, kFull };

// ONNX Gemm: Y[M,N] = alpha * op(A)[M,K] * op(B)[K,N] + beta * C, then the activation.
// A is [M,K], or [K,M] with transpose_a; B is [K,N], or [N,K] with transpose_b.
struct GemmParams {
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  float alpha = 1.0f, beta = 1.0f;
  GemmBias bias = GemmBias::kNone;
  Activation activation = {};
};

// `c` is ignored with GemmBias::kNone. The output overlaps no input. Runs on OpenBLAS.
void gemm(const GemmParams& params, const float* a, const float* b, const float* c, float* y);

// A product by a constant matrix, Y[M,N] = A[M,K] * B[K,N] (+ bias), with B laid out once for it.
// The faster choice than gemm() wherever B is a weight, most of all for small M. Owns: the packed B
// and the bias. Threads: immutable, thread-safe.
class PackedGemm {
 public:
  enum class Layout : std::uint8_t { kKByN, kNByK };  // of `b`; kNByK is Gemm's transpose_b
  // `b`: as `layout` says; `bias`: [n] or null. Both are copied.
  PackedGemm(std::int64_t k, std::int64_t n, Layout layout, const float* b, const float* bias,
             const Activation& activation = {});
  ~PackedGemm();
  PackedGemm(PackedGemm&&) noexcept;
  PackedGemm& operator=(PackedGemm&&) noexcept;

  std::int64_t k() const;
  std::int64_t n() const;
  std::size_t scratch_bytes(std::int64_t m) const;
  // `residual`: [m, n] added after the activation, or null. The output overlaps
  // neither input.
  void run(std::int64_t m, const float* a, const float* residual, float* y,
           std::byte* scratch) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

// numpy.matmul over the last two axes with broadcasting of the leading ones; vectors (rank 1)
// follow numpy's rule. The output is contiguous and has numpy's result shape, which the caller has
// computed. A 2-D `b` under a batched `a` is one large product. `bias`: null, or [N] added to every
// row of the result; then the activation.
struct MatMulParams {
  Dims a_dims = {}, b_dims = {};
  const float* bias = nullptr;
  Activation activation = {};
};
void matmul(const MatMulParams& params, const float* a, const float* b, float* y);

}  // namespace sluice::kernels
