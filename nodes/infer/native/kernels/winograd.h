#pragma once

#include "sluice/nodes/infer/native/kernels/conv_last.h"
#include "sluice/nodes/infer/native/kernels/panels.h"

#include <vector>

namespace sluice::kernels {

// A 3x3 convolution of stride 1 over channels-last images by Winograd's F(4x4, 3x3): tiles of 4 x 4
// outputs are 36 products of transformed inputs and weights in place of 144, at the price of the
// transforms, of four times the weights, and of about a digit. fp32 only. Owns: the weights and the
// bias. Threads: immutable, thread-safe.
class Winograd {
 public:
  static bool covers(const ConvParams& params);
  // True when the images are large enough for whole tiles and the channels many enough to pay for
  // the transforms, where a direct convolution's products are in `direct`.
  static bool pays(const ConvParams& params, std::int64_t out_height, std::int64_t out_width,
                   Precision direct);

  // `weights`: [out_channels, in_channels, 3, 3]; `bias`: [out_channels] or null. Both are copied.
  // REQUIRES: covers(params).
  Winograd(const SimdKernels& simd, const ConvParams& params, const float* weights,
           const float* bias, const Epilogue& epilogue);

  // At most a few MB.
  std::size_t scratch_bytes(const ConvLastCall& call) const;
  // As ConvLast::run. REQUIRES: the input is not planar.
  void run(const ConvLastCall& call) const;
  const char* algorithm() const { return "winograd"; }

 private:
  struct Grid;
  void transform_input(const ConvLastCall& call, const Grid& grid, float* to) const;
  void multiply(std::int64_t tiles, const float* from, float* to) const;
  void transform_output(const ConvLastCall& call, const Grid& grid, const float* from) const;
  std::int64_t tiles_at_once(std::int64_t tiles) const;
  std::int64_t padded_outputs() const;

  const SimdKernels* simd_;
  ConvParams params_;
  Epilogue epilogue_, no_epilogue_;
  std::vector<Panels> products_;  // 36, [in_channels] x [out_channels]
  AlignedFloats bias_;            // padded to the lanes
};

}  // namespace sluice::kernels
