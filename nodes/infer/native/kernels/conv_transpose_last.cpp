#include "sluice/nodes/infer/native/kernels/conv_transpose_last.h"

#include <cassert>

namespace sluice::kernels {

bool ConvTransposeLast::covers(const ConvTransposeParams& p) {
  return p.groups == 1 && p.kernel_h == p.stride_h && p.kernel_w == p.stride_w &&
         p.dilation_h == 1 && p.dilation_w == 1 && p.pad_top == 0 && p.pad_left == 0 &&
         p.pad_bottom == 0 && p.pad_right == 0 && p.output_pad_h == 0 && p.output_pad_w == 0;
}

ConvTransposeLast::ConvTransposeLast(const SimdKernels& simd, const ConvTransposeParams& params,
                                     const float* weights, const float* bias,
                                     const Activation& activation)
    : simd_(&simd), params_(params) {
  assert(covers(params));
  // In a panel that is mostly padding the activation would be computed for the padding too.
  const bool is_narrow = params.kernel_w * params.out_channels * 2 <= simd.lanes;
  (is_narrow ? row_activation_ : epilogue_.activation) = activation;
  const std::int64_t outputs = params.out_channels, width = params.kernel_w;
  std::vector<float> spread(static_cast<std::size_t>(width * outputs), 0.0f);
  for (std::size_t i = 0; bias != nullptr && i < spread.size(); ++i) {
    spread[i] = bias[i % static_cast<std::size_t>(outputs)];
  }
  for (std::int64_t ky = 0; ky < params.kernel_h; ++ky) {
    Panels& row = rows_.emplace_back(simd, Precision::kFp32, params.in_channels, width * outputs);
    for (std::int64_t c = 0; c < params.in_channels; ++c) {
      for (std::int64_t m = 0; m < outputs; ++m) {
        const float* taps = weights + ((c * outputs + m) * params.kernel_h + ky) * width;
        for (std::int64_t kx = 0; kx < width; ++kx) row.set(c, kx * outputs + m, taps[kx]);
      }
    }
    row.set_bias(spread.data());
  }
}

void ConvTransposeLast::run(std::int64_t batch, std::int64_t height, std::int64_t width,
                            const float* input, float* output) const {
  ProductTile tile;
  tile.run = tile.step = params_.in_channels;
  tile.to.epilogue = &epilogue_;
  const std::int64_t output_step = params_.kernel_w * params_.out_channels;
  for (std::int64_t y = 0; y < batch * height; ++y, input += width * params_.in_channels) {
    for (const Panels& row : rows_) {
      for (const Panels::Panel& panel : row.panels()) {
        row.apply(panel, tile);
        for (std::int64_t x = 0; x < width; x += tile.rows) {
          tile.rows = row.rows(panel, width - x);
          const float* segment = input + x * params_.in_channels;
          tile.segments = &segment;
          tile.to.output = pixels_of(output + x * output_step + panel.first_column, output_step);
          simd_->product(tile);
        }
      }
      simd_->activate(row_activation_, width * output_step, output);
      output += width * output_step;
    }
  }
}

}  // namespace sluice::kernels
