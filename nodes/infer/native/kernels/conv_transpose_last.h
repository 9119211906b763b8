#pragma once

#include "sluice/nodes/infer/native/kernels/conv.h"
#include "sluice/nodes/infer/native/kernels/conv_last.h"
#include "sluice/nodes/infer/native/kernels/panels.h"

#include <vector>

namespace sluice::kernels {

// A transposed convolution over channels-last images whose windows neither overlap nor are cut: the
// kernel is as large as the stride, there are no pads and one group. A row of input then makes
// kernel_h rows of output, each of them a product. Owns: the weights and the bias. Threads:
// immutable, thread-safe.
class ConvTransposeLast {
 public:
  static bool covers(const ConvTransposeParams& params);

  // `weights`: [in_channels, out_channels, kernel_h, kernel_w]; `bias`: [out_channels] or null.
  // Both are copied. REQUIRES: covers(params).
  ConvTransposeLast(const SimdKernels& simd, const ConvTransposeParams& params,
                    const float* weights, const float* bias, const Activation& activation = {});

  const ConvTransposeParams& params() const { return params_; }
  // Input [batch, height, width, in_channels] -> output [batch, height * kernel_h, width *
  // kernel_w, out_channels], both dense. No scratch.
  void run(std::int64_t batch, std::int64_t height, std::int64_t width, const float* input,
           float* output) const;

 private:
  const SimdKernels* simd_;
  ConvTransposeParams params_;
  Epilogue epilogue_;
  Activation row_activation_;  // applied to whole rows; then the epilogue has none
  std::vector<Panels> rows_;   // one a row of the kernel, [in_channels] x [kernel_w * out_channels]
};

}  // namespace sluice::kernels
