#pragma once

#include "sluice/core/cuda_abi.h"

#include <cstdint>
#include <initializer_list>
#include <vector>

// Operators as tests write them.
namespace sluice::cuda::testing {

using Dims = std::vector<std::int64_t>;

// Views of a type. Dense with the last dim innermost, or the channels, or as `strides` says.
sluice_cuda_view dense(int type, const Dims& dims);
sluice_cuda_view channels_last(int type, const Dims& dims);
// The same, with the pixels `pitch` elements apart.
sluice_cuda_view channels_last(int type, const Dims& dims, std::int64_t pitch);
sluice_cuda_view strided(int type, const Dims& dims, const Dims& strides);

sluice_cuda_activation none();
sluice_cuda_activation plain(sluice_cuda_unary function);

// A convolution of an image [n, channels, image], one number for all axes where there is one.
struct Convolution {
  int type = SLUICE_CUDA_F16;
  Dims x;                // [N, C, spatial]
  std::int64_t out = 1;  // channels
  Dims kernel;
  Dims stride = {1}, dilation = {1}, pad_begin = {0}, pad_end = {0};
  std::int64_t group = 1;
  bool bias = true, residual = false;
  sluice_cuda_activation activation = none(), after = none();
  bool transposed = false;
};
sluice_cuda_op operator_of(const Convolution& convolution);

// out [batch, m, n] = a [batch, m, k] b [batch, k, n], dense.
sluice_cuda_op matmul(int type, std::int64_t batch, std::int64_t m, std::int64_t k, std::int64_t n);

// Heads beside each other in [batch, sequence, heads, size].
struct Attention {
  int type = SLUICE_CUDA_F16;
  std::int64_t batch = 2, heads = 12, queries = 128, keys = 128, size = 64;
  enum class Mask { kNone, kFull, kOfKeys } mask = Mask::kNone;
  int mask_type = SLUICE_CUDA_F16;
};
sluice_cuda_op operator_of(const Attention& attention);

}  // namespace sluice::cuda::testing
