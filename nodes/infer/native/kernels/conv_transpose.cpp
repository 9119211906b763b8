#include "sluice/nodes/infer/native/kernels/aligned.h"
#include "sluice/nodes/infer/native/kernels/conv.h"
#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/kernels/elementwise.h"
#include "sluice/nodes/infer/native/kernels/tile.h"

#include <cblas.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <vector>

// Each input pixel is multiplied into a window of the output: a product [taps x outputs] x [inputs]
// per pixel, whose columns are then added where they belong. When windows neither overlap nor are
// cut (kernel == stride, no padding) each output is stored once, already with bias and activation.
namespace sluice::kernels {

struct PackedConvTranspose::Impl {
  ConvTransposeParams params;
  Epilogue epilogue;  // of the product: the activation where windows are disjoint
  Activation activation;
  bool disjoint = false;
  AlignedFloats weights;   // per group: packed rows (tile.h), or [rows][depth] without AVX2
  AlignedFloats bias;      // [out_channels]
  AlignedFloats row_bias;  // of the product, one per (output channel, tap), zeros unless disjoint

  std::int64_t window() const { return params.kernel_h * params.kernel_w; }
  std::int64_t group_outputs() const { return params.out_channels / params.groups; }
  std::int64_t rows() const { return group_outputs() * window(); }
  std::int64_t depth() const { return params.in_channels / params.groups; }
  std::int64_t packed_size() const {
    return isa() >= Isa::kAvx2 ? packed_rows_size(rows(), depth()) : rows() * depth();
  }

  void multiply(const float* input, std::int64_t area, std::int64_t count, std::int64_t group,
                float* panels, float* columns) const;
};

namespace {

// Input rows at a time, so that the product's columns stay in L2.
std::int64_t chunk_rows(std::int64_t product_rows, std::int64_t height, std::int64_t width) {
  constexpr std::int64_t kFloats = 32 * 1024;
  return std::clamp<std::int64_t>(kFloats / (product_rows * width), 1, height);
}

std::int64_t padded_columns(std::int64_t columns) {
  return (columns + kTileColumns - 1) / kTileColumns * kTileColumns;
}

}  // namespace

PackedConvTranspose::PackedConvTranspose(const ConvTransposeParams& params, const float* weights,
                                         const float* bias, const Activation& activation) {
  assert(params.groups > 0 && params.in_channels % params.groups == 0 &&
         params.out_channels % params.groups == 0);
  auto impl = std::make_unique<Impl>();
  impl->params = params;
  impl->activation = activation;
  impl->disjoint = params.kernel_h == params.stride_h && params.kernel_w == params.stride_w &&
                   params.dilation_h == 1 && params.dilation_w == 1 && params.pad_top == 0 &&
                   params.pad_left == 0 && params.pad_bottom == 0 && params.pad_right == 0 &&
                   params.output_pad_h == 0 && params.output_pad_w == 0;
  if (impl->disjoint) impl->epilogue.activation = activation;
  const std::int64_t rows = impl->rows(), depth = impl->depth();
  impl->weights = AlignedFloats(params.groups * impl->packed_size());
  for (std::int64_t g = 0; g < params.groups; ++g) {
    const float* from = weights + g * depth * rows;
    float* to = impl->weights.data() + g * impl->packed_size();
    if (isa() >= Isa::kAvx2) {
      pack_rows({from, rows, depth, 1, rows}, to);
    } else {
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t k = 0; k < depth; ++k) to[r * depth + k] = from[k * rows + r];
      }
    }
  }
  impl->bias = AlignedFloats(params.out_channels);
  if (bias != nullptr) std::copy_n(bias, params.out_channels, impl->bias.data());
  impl->row_bias = AlignedFloats(params.groups * rows);
  if (impl->disjoint) {
    for (std::int64_t i = 0; i < params.groups * rows; ++i) {
      impl->row_bias.data()[i] = impl->bias.data()[i / impl->window()];
    }
  }
  impl_ = std::move(impl);
}

PackedConvTranspose::~PackedConvTranspose() = default;
PackedConvTranspose::PackedConvTranspose(PackedConvTranspose&&) noexcept = default;
PackedConvTranspose& PackedConvTranspose::operator=(PackedConvTranspose&&) noexcept = default;

const ConvTransposeParams& PackedConvTranspose::params() const { return impl_->params; }

std::size_t PackedConvTranspose::scratch_bytes(std::int64_t height, std::int64_t width) const {
  const std::int64_t columns = padded_columns(chunk_rows(impl_->rows(), height, width) * width);
  return static_cast<std::size_t>(columns * (impl_->rows() + impl_->depth())) * sizeof(float);
}

// columns[row][count] = weights x `count` input pixels from `input` on.
void PackedConvTranspose::Impl::multiply(const float* input, std::int64_t area, std::int64_t count,
                                         std::int64_t group, float* panels, float* columns) const {
  const float* packed = weights.data() + group * packed_size();
  const float* biases = row_bias.data() + group * rows();
  if (isa() < Isa::kAvx2) {
    init_blas();
    for (std::int64_t r = 0; r < rows(); ++r) std::fill_n(columns + r * count, count, biases[r]);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows()),
                static_cast<int>(count), static_cast<int>(depth()), 1.0f, packed,
                static_cast<int>(depth()), input, static_cast<int>(area), 1.0f, columns,
                static_cast<int>(count));
    return apply(epilogue.activation, rows() * count, columns, columns);
  }

  Tile tile;
  tile.b = panels;
  tile.b_step = kTileColumns;
  tile.depth = depth();
  tile.c_step = count;
  tile.epilogue = &epilogue;
  for (std::int64_t i = 0; i < count; i += kTileColumns) {
    tile.columns = static_cast<int>(std::min<std::int64_t>(kTileColumns, count - i));
    for (std::int64_t k = 0; k < depth(); ++k) {
      float* to = std::copy_n(input + k * area + i, tile.columns, panels + k * kTileColumns);
      std::fill(to, panels + (k + 1) * kTileColumns, 0.0f);
    }
    for (std::int64_t row = 0; row < rows(); row += kTileRows) {
      tile.rows = static_cast<int>(std::min<std::int64_t>(kTileRows, rows() - row));
      tile.a = packed + row * depth();
      tile.row_bias = biases + row;
      tile.c = columns + row * count + i;
      run_tile_avx2(tile);
    }
  }
}

namespace {

// Interleaves the taps of a disjoint product: output row y * kernel_h + ky, pixel x * kernel_w +
// kx.
void interleave(const ConvTransposeParams& p, const float* columns, std::int64_t count,
                std::int64_t rows, std::int64_t width, float* output) {
  const std::int64_t out_width = width * p.kernel_w;
  for (std::int64_t ky = 0; ky < p.kernel_h; ++ky) {
    for (std::int64_t y = 0; y < rows; ++y) {
      float* to = output + (y * p.kernel_h + ky) * out_width;
      const float* from = columns + ky * p.kernel_w * count + y * width;
      if (p.kernel_w == 2) {
        for (std::int64_t x = 0; x < width; ++x) {
          to[2 * x] = from[x];
          to[2 * x + 1] = from[count + x];
        }
      } else {
        for (std::int64_t kx = 0; kx < p.kernel_w; ++kx) {
          for (std::int64_t x = 0; x < width; ++x) to[x * p.kernel_w + kx] = from[kx * count + x];
        }
      }
    }
  }
}

// Adds the taps of one output channel's product, for input rows `top` on, into its plane.
void scatter(const ConvTransposeParams& p, const float* columns, std::int64_t top,
             std::int64_t rows, const ConvCall& call, float* plane) {
  const std::int64_t out_height = p.out_height(call.height), out_width = p.out_width(call.width);
  const std::int64_t count = rows * call.width;
  for (std::int64_t tap = 0; tap < p.kernel_h * p.kernel_w; ++tap) {
    const std::int64_t left = tap % p.kernel_w * p.dilation_w - p.pad_left;
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t y = (top + r) * p.stride_h + tap / p.kernel_w * p.dilation_h - p.pad_top;
      if (y < 0 || y >= out_height) continue;
      const float* from = columns + tap * count + r * call.width;
      float* to = plane + y * out_width;
      for (std::int64_t i = 0; i < call.width; ++i) {
        const std::int64_t x = i * p.stride_w + left;
        if (x >= 0 && x < out_width) to[x] += from[i];
      }
    }
  }
}

}  // namespace

void PackedConvTranspose::run(const ConvCall& call) const {
  const ConvTransposeParams& p = impl_->params;
  assert(call.residual == nullptr);
  const std::int64_t area = call.height * call.width;
  const std::int64_t out_area = p.out_height(call.height) * p.out_width(call.width);
  const std::int64_t at_once = chunk_rows(impl_->rows(), call.height, call.width);
  float* columns = reinterpret_cast<float*>(call.scratch);
  float* panels = columns + padded_columns(at_once * call.width) * impl_->rows();
  for (std::int64_t image = 0; image < call.batch; ++image) {
    float* output = call.output + image * p.out_channels * out_area;
    if (!impl_->disjoint) {
      for (std::int64_t m = 0; m < p.out_channels; ++m)
        std::fill_n(output + m * out_area, out_area, impl_->bias.data()[m]);
    }
    for (std::int64_t group = 0; group < p.groups; ++group) {
      const float* input = call.input + (image * p.in_channels + group * impl_->depth()) * area;
      for (std::int64_t top = 0; top < call.height; top += at_once) {
        const std::int64_t rows = std::min(at_once, call.height - top);
        impl_->multiply(input + top * call.width, area, rows * call.width, group, panels, columns);
        for (std::int64_t m = 0; m < impl_->group_outputs(); ++m) {
          float* plane = output + (group * impl_->group_outputs() + m) * out_area;
          const float* from = columns + m * impl_->window() * rows * call.width;
          if (impl_->disjoint) {
            interleave(p, from, rows * call.width, rows, call.width,
                       plane + top * p.kernel_h * p.out_width(call.width));
          } else {
            scatter(p, from, top, rows, call, plane);
          }
        }
      }
    }
    if (!impl_->disjoint) apply(impl_->activation, p.out_channels * out_area, output, output);
  }
}

}  // namespace sluice::kernels
