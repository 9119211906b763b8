#pragma once

#include "sluice/nodes/infer/native/kernels/pool.h"
#include "sluice/nodes/infer/native/kernels/simd.h"

#include <cstddef>
#include <cstdint>

// Pools over channels-last images: input [batch, height, width, channels], output [batch,
// out_height, out_width, channels].
namespace sluice::kernels {

enum class PoolKind : std::uint8_t { kMax, kAverage };

struct PoolLastParams {
  PoolKind kind = PoolKind::kMax;
  std::int64_t batch = 1, channels = 0;
  PoolParams window;  // its `planes` is not used
};

std::size_t pool_last_scratch_bytes(const PoolLastParams& params);
// Both in the same precision.
void pool_last(const SimdKernels& simd, const PoolLastParams& params, const InputPixels& input,
               const OutputPixels& output, std::byte* scratch);

// The mean over the pixels of each image: [batch, area, channels], dense, -> [batch, channels].
std::size_t mean_last_scratch_bytes(std::int64_t channels);
void mean_last(const SimdKernels& simd, std::int64_t batch, std::int64_t area,
               std::int64_t channels, InputPixels input, float* output, std::byte* scratch);

}  // namespace sluice::kernels
