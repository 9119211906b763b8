#pragma once

#include "sluice/nodes/infer/native/kernels/aligned.h"
#include "sluice/nodes/infer/native/kernels/conv.h"

#include <cstddef>
#include <cstdint>

// The algorithms behind PackedConv. Each takes one image at a time; conv.cpp loops over the batch.
namespace sluice::kernels {

enum class ConvAlgorithm : std::uint8_t {
  kTile,  // the register tile over unfolded panels, or over a ring of input rows; decided per width
  kDepthwise,  // one input channel per group, no product over channels
  kPortable,   // unfolded, then OpenBLAS
};

struct ConvPlan {
  ConvParams params;
  Epilogue epilogue;
  ConvAlgorithm algorithm = ConvAlgorithm::kPortable;
  AlignedFloats weights;  // kTile: groups x packed rows (tile.h); else as in the model
  AlignedFloats bias;     // [out_channels], zeros where the model has none

  std::int64_t group_outputs() const { return params.out_channels / params.groups; }
  std::int64_t group_inputs() const { return params.in_channels / params.groups; }
  std::int64_t window() const { return params.kernel_h * params.kernel_w; }
  std::int64_t depth() const { return group_inputs() * window(); }
};

// One image: [in_channels, height, width] -> [out_channels, out_height, out_width].
struct ConvImage {
  const float* input = nullptr;
  std::int64_t height = 0, width = 0, out_height = 0, out_width = 0;
  const float* residual = nullptr;
  float* output = nullptr;
  std::byte* scratch = nullptr;
};

// kTile: the input is unfolded chunk by chunk into panels; a 1x1 needs no unfolding, only copying.
std::size_t conv_panels_scratch(const ConvPlan& plan, std::int64_t height, std::int64_t width);
void conv_panels(const ConvPlan& plan, const ConvImage& image);

// kTile: a ring of padded input rows that the tile reads in place, so that each value is copied
// once and not once per tap.
std::size_t conv_rows_scratch(const ConvPlan& plan, std::int64_t height, std::int64_t width);
void conv_rows(const ConvPlan& plan, const ConvImage& image);

std::size_t conv_depthwise_scratch(const ConvPlan& plan, std::int64_t height, std::int64_t width);
void conv_depthwise(const ConvPlan& plan, const ConvImage& image);

std::size_t conv_portable_scratch(const ConvPlan& plan, std::int64_t height, std::int64_t width);
void conv_portable(const ConvPlan& plan, const ConvImage& image);

// The part of a product over depth that is done at a time, in whole input channels: its panel of
// the input stays in L1 next to the weights.
std::int64_t channel_block(const ConvPlan& plan);

// The residual of a group's outputs from some column on: row r, column i is data[r * step + i].
struct Residual {
  const float* data = nullptr;  // null for none
  std::int64_t step = 0;
};

// The residual of `columns` outputs of each of a group's channels, the first of them at element
// `at` of the image. A product done in several blocks stores partial sums into the output, so a
// residual that is the output is first copied to `copy`, [group_outputs, columns].
Residual residual_of(const ConvPlan& plan, const ConvImage& image, std::int64_t at,
                     std::int64_t columns, float* copy);
// Floats behind `copy`; 0 where no product is done in blocks.
std::int64_t residual_copy_size(const ConvPlan& plan, std::int64_t columns);

}  // namespace sluice::kernels
