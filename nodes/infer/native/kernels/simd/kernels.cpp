#include "sluice/nodes/infer/native/kernels/simd/kernels.h"

namespace sluice::kernels::SLUICE_SIMD {
namespace {

constexpr SimdKernels make_kernels() {
  SimdKernels kernels{};
  kernels.name = SLUICE_SIMD_AVX512 ? "avx512" : "avx2";
  kernels.lanes = kLanes;
  for (int v = 0; v <= kMaxVectors; ++v) kernels.max_rows[v] = kMaxRows[v];
  kernels.product = product;
  kernels.depthwise = depthwise;
  kernels.pool = pool;
  kernels.winograd_input = winograd_input;
  kernels.winograd_output = winograd_output;
  kernels.add_pixels = add_pixels;
  kernels.scale = scale;
  kernels.lrn = lrn;
  kernels.activate = activate;
  kernels.interleave = interleave;
#if SLUICE_SIMD_BF16
  kernels.product_bf16 = product_bf16;
  kernels.round_to_bf16 = round_to_bf16;
#endif
  return kernels;
}

}  // namespace

const SimdKernels kKernels = make_kernels();

}  // namespace sluice::kernels::SLUICE_SIMD
