#pragma once

#include "sluice/nodes/infer/native/kernels/simd.h"
#include "sluice/nodes/infer/native/kernels/simd/vector.h"

// The kernels of this folder, as one instruction set has them.
namespace sluice::kernels::SLUICE_SIMD {

// Rows of a product's tile by its vectors: what fills the registers beside a row of weights, while
// the loads of a step stay fewer than its multiplications.
#if SLUICE_SIMD_AVX512
inline constexpr int kMaxRows[kMaxVectors + 1] = {0, 12, 12, 8, 6};
#else
inline constexpr int kMaxRows[kMaxVectors + 1] = {0, 8, 6, 4, 2};
#endif

void product(const ProductTile& tile);
#if SLUICE_SIMD_BF16
void product_bf16(const ProductTile& tile);
void round_to_bf16(std::int64_t count, const float* from, std::uint16_t* to);
#endif
void depthwise(const DepthwiseRow& row);
void pool(const PoolRow& row);
void winograd_input(const WinogradInput& patch);
void winograd_output(const WinogradOutput& tile);
void add_pixels(std::int64_t count, std::int64_t channels, const InputPixels& input, float* sums);
void scale(const ScaledPixels& pixels);
void lrn(const LrnPixels& pixels);
void activate(const Activation& activation, std::int64_t count, float* x);
void interleave(std::int64_t count, std::int64_t channels, const float* planes, std::int64_t plane,
                float* pixels);

extern const SimdKernels kKernels;

}  // namespace sluice::kernels::SLUICE_SIMD
