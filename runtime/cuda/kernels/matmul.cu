#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/function.cuh"
#include "sluice/runtime/cuda/kernels/space.h"

#include <algorithm>
#include <array>

namespace sluice::cuda {
namespace {

struct Product {
  std::int64_t batch, rows, columns, depth;
  std::int64_t row_tiles, column_tiles;
  Operand a, b, bias, out;  // strides of [batch, rows, columns]
  float alpha, beta;
  std::int32_t has_bias;
  sluice_cuda_activation activation;
};

// A block of 16 x 16 threads makes 64 x 64 of the result, 4 x 4 a thread, from panels of both
// operands in shared memory.
constexpr int kTile = 64, kDepth = 16, kEach = 4, kSide = kTile / kEach;
constexpr int kThreads = kSide * kSide;

// Element (k, i) of a panel, i along the operand's rows or columns. Neighbouring threads take what
// lies close together.
__device__ __forceinline__ void load_panel(float (&panel)[kDepth][kTile + 4], const Operand& from,
                                           std::int64_t base, std::int64_t stride_i,
                                           std::int64_t stride_k, std::int64_t first,
                                           std::int64_t count, std::int64_t k, std::int64_t depth) {
  const bool by_depth = stride_k == 1;
  for (int n = static_cast<int>(threadIdx.x); n < kDepth * kTile; n += kThreads) {
    const int ki = by_depth ? n % kDepth : n / kTile;
    const int i = by_depth ? n / kDepth : n % kTile;
    const bool inside = first + i < count && k + ki < depth;
    panel[ki][i] = inside ? load_float(from.type, from.data,
                                       base + (first + i) * stride_i + (k + ki) * stride_k)
                          : 0.0f;
  }
}

__device__ __forceinline__ void store_row(const Product& p, std::int64_t batch, std::int64_t row,
                                          std::int64_t column, float (&sums)[kEach]) {
#pragma unroll
  for (int j = 0; j < kEach; ++j) {
    sums[j] *= p.alpha;
    if (p.has_bias && column + j < p.columns) {
      const std::int64_t* const s = p.bias.strides;
      sums[j] += p.beta * load_float(p.bias.type, p.bias.data,
                                     batch * s[0] + row * s[1] + (column + j) * s[2]);
    }
  }
  activate(p.activation, sums);
  const std::int64_t* const s = p.out.strides;
#pragma unroll
  for (int j = 0; j < kEach; ++j) {
    if (column + j < p.columns)
      store_float(p.out.type, p.out.data, batch * s[0] + row * s[1] + (column + j) * s[2], sums[j]);
  }
}

__global__ void __launch_bounds__(kThreads) matmul_tiles(const __grid_constant__ Product p) {
  __shared__ float a[kDepth][kTile + 4];
  __shared__ float b[kDepth][kTile + 4];
  const int thread_row = static_cast<int>(threadIdx.x) / kSide * kEach;
  const int thread_column = static_cast<int>(threadIdx.x) % kSide * kEach;
  const std::int64_t tiles = p.batch * p.row_tiles * p.column_tiles;
  for (std::int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const std::int64_t column = tile % p.column_tiles * kTile;
    const std::int64_t row = tile / p.column_tiles % p.row_tiles * kTile;
    const std::int64_t batch = tile / p.column_tiles / p.row_tiles;
    float sums[kEach][kEach] = {};
    for (std::int64_t k = 0; k < p.depth; k += kDepth) {
      load_panel(a, p.a, batch * p.a.strides[0], p.a.strides[1], p.a.strides[2], row, p.rows, k,
                 p.depth);
      load_panel(b, p.b, batch * p.b.strides[0], p.b.strides[2], p.b.strides[1], column, p.columns,
                 k, p.depth);
      __syncthreads();
#pragma unroll
      for (int ki = 0; ki < kDepth; ++ki) {
#pragma unroll
        for (int i = 0; i < kEach; ++i) {
#pragma unroll
          for (int j = 0; j < kEach; ++j)
            sums[i][j] += a[ki][thread_row + i] * b[ki][thread_column + j];
        }
      }
      __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (row + thread_row + i < p.rows)
        store_row(p, batch, row + thread_row + i, column + thread_column, sums[i]);
    }
  }
}

Operand operand_of(const sluice_cuda_view& view) {
  Operand result;
  result.type = view.type;
  std::copy(view.strides, view.strides + kMaxRank, result.strides);
  return result;
}

const char* why_not(const sluice_cuda_op& op) {
  const auto& matmul = op.as.matmul;
  if (op.inputs != (matmul.has_bias ? 3 : 2)) return "a product of other than two operands";
  if (op.in[0].rank != 3 || op.in[1].rank != 3 || op.out[0].rank != 3)
    return "a product of other than three axes";
  for (int i = 0; i < op.inputs; ++i) {
    if (!is_small_float(op.in[i].type)) return "a product of other than f32, f16 and bf16";
  }
  if (!is_small_float(op.out[0].type)) return "a product of other than f32, f16 and bf16";
  if (has_rare(matmul.activation)) return "an activation that products do not have";
  return nullptr;
}

}  // namespace

Made make_matmul(const sluice_cuda_op& op) {
  if (const char* const reason = why_not(op)) return no_kernel(reason);
  const auto& matmul = op.as.matmul;
  Product p{};
  p.batch = op.out[0].dims[0];
  p.rows = op.out[0].dims[1];
  p.columns = op.out[0].dims[2];
  p.depth = op.in[0].dims[2];
  p.row_tiles = (p.rows + kTile - 1) / kTile;
  p.column_tiles = (p.columns + kTile - 1) / kTile;
  p.a = operand_of(op.in[0]);
  p.b = operand_of(op.in[1]);
  p.out = operand_of(op.out[0]);
  p.alpha = matmul.alpha;
  p.beta = matmul.beta;
  p.has_bias = matmul.has_bias;
  p.activation = matmul.activation;
  sluice_cuda_view views[4] = {op.in[0], op.in[1], op.in[2], op.out[0]};
  if (p.has_bias) {
    p.bias = operand_of(op.in[2]);
    if (!matmul.bias_is_matrix) {
      p.bias.strides[2] = op.in[2].strides[0];
      p.bias.strides[0] = p.bias.strides[1] = 0;
    }
  }
  return made("kernel matmul", [p, views = std::to_array(views)](CUstream_st* stream,
                                                                 const void* const* inputs,
                                                                 void* const* outputs) mutable {
    p.a.data = at(inputs[0], views[0]);
    p.b.data = at(inputs[1], views[1]);
    if (p.has_bias) p.bias.data = at(inputs[2], views[2]);
    p.out.data = at(outputs[0], views[3]);
    const Grid grid{grid_for(p.batch * p.row_tiles * p.column_tiles, 1).blocks, dim3(kThreads)};
    return launch(matmul_tiles, Threads::kTogether, grid, stream, p);
  });
}

}  // namespace sluice::cuda
