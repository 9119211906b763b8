#pragma once

#include "sluice/nodes/infer/native/kernels/types.h"

#include <cstdint>

namespace sluice::kernels {

// A 2-D window over [planes, height, width], planes = batch x channels; 1-D is height 1.
// The output extents are the caller's (they depend on ceil_mode and auto_pad): windows that reach
// beyond the padded input are cut there.
struct PoolParams {
  std::int64_t planes = 0, height = 0, width = 0;
  std::int64_t out_height = 0, out_width = 0;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  // Average only: divide by the window's part inside the padded input (true) or inside the input
  // (false).
  bool count_include_pad = false;
};

// ONNX MaxPool. `indices`, if not null, gets the flat index of each maximum in the whole input
// tensor (row-major, storage_order 0). A window wholly in the padding gives -infinity.
void max_pool(const PoolParams& params, const float* input, float* output, std::int64_t* indices);
// ONNX AveragePool. A window wholly in the padding gives 0.
void average_pool(const PoolParams& params, const float* input, float* output);

// [planes, area] -> [planes]. REQUIRES: area > 0.
void global_average_pool(std::int64_t planes, std::int64_t area, const float* input, float* output);
void global_max_pool(std::int64_t planes, std::int64_t area, const float* input, float* output);

}  // namespace sluice::kernels
