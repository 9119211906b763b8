#include "sluice/runtime/cuda/kernels/element.cuh"
#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/space.h"

#include <algorithm>
#include <array>

namespace sluice::cuda {
namespace {

// A block of 128 threads takes 16 queries of one head: eight threads a query. It goes over the keys
// by tiles of 32, and keeps of what it has seen the greatest score, the sum of the exponentials
// relative to it and the values weighted with them: Milakov and Gimelshein, "Online normalizer
// calculation for softmax" (2018).
constexpr int kQueries = 16, kKeys = 32, kMates = 8, kThreads = kQueries * kMates;
constexpr int kSlice = 32;  // of the depth, in shared memory at a time
constexpr int kScores = kKeys / kMates;

struct Attention {
  std::int64_t batch, heads, queries, keys, depth, width;  // width: of a value
  std::int64_t query_tiles, width_tiles;
  Operand q, k, v, mask, out;  // a mask without memory: none
  float scale;
};

__device__ __forceinline__ float load_at(const Operand& operand, std::int64_t base,
                                         std::int64_t row, std::int64_t column) {
  return load_float(operand.type, operand.data,
                    base + row * operand.strides[2] + column * operand.strides[3]);
}

__device__ __forceinline__ std::int64_t base_of(const Operand& operand, std::int64_t batch,
                                                std::int64_t head) {
  return batch * operand.strides[0] + head * operand.strides[1];
}

// Sums and maxima over the threads of one query, which are neighbours.
template <class F>
__device__ __forceinline__ float among_mates(float value, F f) {
#pragma unroll
  for (int lanes = kMates / 2; lanes > 0; lanes /= 2)
    value = f(value, __shfl_xor_sync(~0u, value, lanes));
  return value;
}

// The thread's scores of the tile: keys mate, mate + 8, ...
__device__ __forceinline__ void score_tile(const Attention& work, std::int64_t base_q,
                                           std::int64_t base_k, std::int64_t first_query,
                                           std::int64_t first_key, float (&scores)[kScores]) {
  __shared__ float q[kQueries][kSlice + 1];
  __shared__ float k[kKeys][kSlice + 1];
  const int row = static_cast<int>(threadIdx.x) / kMates;
  const int mate = static_cast<int>(threadIdx.x) % kMates;
#pragma unroll
  for (int j = 0; j < kScores; ++j) scores[j] = 0.0f;
  for (std::int64_t slice = 0; slice < work.depth; slice += kSlice) {
    __syncthreads();
    for (int n = static_cast<int>(threadIdx.x); n < kKeys * kSlice; n += kThreads) {
      const int at = n / kSlice, d = n % kSlice;
      const bool in_depth = slice + d < work.depth;
      const std::int64_t key = first_key + at, query = first_query + at;
      k[at][d] = in_depth && key < work.keys ? load_at(work.k, base_k, key, slice + d) : 0.0f;
      if (at < kQueries)
        q[at][d] =
            in_depth && query < work.queries ? load_at(work.q, base_q, query, slice + d) : 0.0f;
    }
    __syncthreads();
#pragma unroll 8
    for (int d = 0; d < kSlice; ++d) {
#pragma unroll
      for (int j = 0; j < kScores; ++j) scores[j] += q[row][d] * k[mate + j * kMates][d];
    }
  }
}

// kColumns: of the values, a thread. A block makes kColumns * 8 of them.
template <int kColumns>
__global__ void __launch_bounds__(kThreads, 4)
    attention_tiles(const __grid_constant__ Attention work) {
  __shared__ float weights[kQueries][kKeys + 1];
  __shared__ float values[kKeys][kColumns * kMates];
  const int row = static_cast<int>(threadIdx.x) / kMates;
  const int mate = static_cast<int>(threadIdx.x) % kMates;
  const auto greater = [](float a, float b) { return fmaxf(a, b); };
  const auto plus = [](float a, float b) { return a + b; };
  const std::int64_t tiles = work.batch * work.heads * work.query_tiles * work.width_tiles;
  for (std::int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const std::int64_t first_column = tile % work.width_tiles * (kColumns * kMates);
    std::int64_t rest = tile / work.width_tiles;
    const std::int64_t first_query = rest % work.query_tiles * kQueries;
    rest /= work.query_tiles;
    const std::int64_t head = rest % work.heads, batch = rest / work.heads;
    const std::int64_t query = first_query + row;
    float most = -INFINITY, sum = 0.0f;
    float result[kColumns] = {};
    for (std::int64_t first_key = 0; first_key < work.keys; first_key += kKeys) {
      float scores[kScores];
      score_tile(work, base_of(work.q, batch, head), base_of(work.k, batch, head), first_query,
                 first_key, scores);
      float tile_most = -INFINITY;
#pragma unroll
      for (int j = 0; j < kScores; ++j) {
        const std::int64_t key = first_key + mate + j * kMates;
        scores[j] *= work.scale;
        if (key >= work.keys) {
          scores[j] = -INFINITY;
        } else if (work.mask.data && query < work.queries) {
          scores[j] += load_at(work.mask, base_of(work.mask, batch, head), query, key);
        }
        tile_most = fmaxf(tile_most, scores[j]);
      }
      tile_most = fmaxf(most, among_mates(tile_most, greater));
      // Where nothing was seen but -infinity there is nothing to scale, and no difference to take.
      const bool seen = tile_most != -INFINITY;
      const float fade = seen ? expf(most - tile_most) : 1.0f;
      float tile_sum = 0.0f;
#pragma unroll
      for (int j = 0; j < kScores; ++j) {
        const float weight = seen || scores[j] != scores[j] ? expf(scores[j] - tile_most) : 0.0f;
        weights[row][mate + j * kMates] = weight;
        tile_sum += weight;
      }
      sum = sum * fade + among_mates(tile_sum, plus);
      most = tile_most;
      const std::int64_t base_v = base_of(work.v, batch, head);
      for (int n = static_cast<int>(threadIdx.x); n < kKeys * kColumns * kMates; n += kThreads) {
        const std::int64_t key = first_key + n / (kColumns * kMates);
        const std::int64_t column = first_column + n % (kColumns * kMates);
        values[n / (kColumns * kMates)][n % (kColumns * kMates)] =
            key < work.keys && column < work.width ? load_at(work.v, base_v, key, column) : 0.0f;
      }
      __syncthreads();
#pragma unroll
      for (int c = 0; c < kColumns; ++c) result[c] *= fade;
      for (int key = 0; key < kKeys; ++key) {
        const float weight = weights[row][key];
#pragma unroll
        for (int c = 0; c < kColumns; ++c) result[c] += weight * values[key][mate + c * kMates];
      }
      __syncthreads();
    }
    if (query >= work.queries) continue;
    const std::int64_t base_out = base_of(work.out, batch, head) + query * work.out.strides[2];
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      const std::int64_t column = first_column + mate + c * kMates;
      if (column < work.width)
        store_float(work.out.type, work.out.data, base_out + column * work.out.strides[3],
                    work.keys > 0 ? result[c] / sum : 0.0f);
    }
  }
}

template <int kColumns>
Outcome run(Attention work, CUstream_st* stream) {
  work.width_tiles = (work.width + kColumns * kMates - 1) / (kColumns * kMates);
  const std::int64_t tiles = work.batch * work.heads * work.query_tiles * work.width_tiles;
  return launch(attention_tiles<kColumns>, Threads::kTogether,
                Grid{grid_for(tiles, 1).blocks, dim3(kThreads)}, stream, work);
}

Operand operand_of(const sluice_cuda_view& view) {
  Operand operand;
  operand.type = view.type;
  std::copy(view.strides, view.strides + kMaxRank, operand.strides);
  return operand;
}

}  // namespace

Made make_attention(const sluice_cuda_op& op) {
  if (op.inputs != 3 && op.inputs != 4) return no_kernel("attention of other than three operands");
  for (int i = 0; i < op.inputs; ++i) {
    if (op.in[i].rank != 4 || !is_small_float(op.in[i].type))
      return no_kernel("attention of other than f32, f16 and bf16 of four axes");
  }
  if (op.out[0].rank != 4 || !is_small_float(op.out[0].type))
    return no_kernel("attention into other than f32, f16 and bf16 of four axes");
  Attention work{};
  work.batch = op.out[0].dims[0];
  work.heads = op.out[0].dims[1];
  work.queries = op.out[0].dims[2];
  work.width = op.out[0].dims[3];
  work.keys = op.in[1].dims[2];
  work.depth = op.in[0].dims[3];
  work.query_tiles = (work.queries + kQueries - 1) / kQueries;
  work.scale = op.as.attention.scale;
  work.q = operand_of(op.in[0]);
  work.k = operand_of(op.in[1]);
  work.v = operand_of(op.in[2]);
  work.mask = operand_of(op.in[3]);
  work.out = operand_of(op.out[0]);
  return made("kernel attention",
              [work, has_mask = op.inputs > 3, out = op.out[0],
               in = std::array{op.in[0], op.in[1], op.in[2], op.in[3]}](
                  CUstream_st* stream, const void* const* inputs, void* const* outputs) mutable {
                work.q.data = at(inputs[0], in[0]);
                work.k.data = at(inputs[1], in[1]);
                work.v.data = at(inputs[2], in[2]);
                if (has_mask) work.mask.data = at(inputs[3], in[3]);
                work.out.data = at(outputs[0], out);
                return work.width <= 32   ? run<4>(work, stream)
                       : work.width <= 64 ? run<8>(work, stream)
                                          : run<16>(work, stream);
              });
}

}  // namespace sluice::cuda
