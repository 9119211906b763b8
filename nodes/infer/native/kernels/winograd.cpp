#include "sluice/nodes/infer/native/kernels/winograd.h"

#include <algorithm>
#include <cassert>

namespace sluice::kernels {
namespace {

constexpr std::int64_t kTile = 4;   // outputs a side
constexpr std::int64_t kPatch = 6;  // inputs a side
constexpr std::int64_t kProducts = kPatch * kPatch;

// G of Y = A'[(G g G') * (B' d B)]A.
constexpr float kG[6][3] = {{1.0f / 4, 0.0f, 0.0f},
                            {-1.0f / 6, -1.0f / 6, -1.0f / 6},
                            {-1.0f / 6, 1.0f / 6, -1.0f / 6},
                            {1.0f / 24, 1.0f / 12, 1.0f / 6},
                            {1.0f / 24, -1.0f / 12, 1.0f / 6},
                            {0.0f, 0.0f, 1.0f}};

void transform_filter(const float* filter, float (&out)[kProducts]) {
  float half[6][3];
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 3; ++j) {
      half[i][j] = 0.0f;
      for (int k = 0; k < 3; ++k) half[i][j] += kG[i][k] * filter[k * 3 + j];
    }
  }
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 6; ++j) {
      float sum = 0.0f;
      for (int k = 0; k < 3; ++k) sum += half[i][k] * kG[j][k];
      out[i * 6 + j] = sum;
    }
  }
}

}  // namespace

// Some tiles of an image, in row-major order.
struct Winograd::Grid {
  std::int64_t across = 0;  // tiles in a row of them
  std::int64_t first = 0, count = 0;
};

bool Winograd::covers(const ConvParams& p) {
  return p.groups == 1 && p.kernel_h == 3 && p.kernel_w == 3 && p.stride_h == 1 &&
         p.stride_w == 1 && p.dilation_h == 1 && p.dilation_w == 1;
}

bool Winograd::pays(const ConvParams& p, std::int64_t out_height, std::int64_t out_width,
                    Precision direct) {
  if (!covers(p) || out_height < 13 || out_width < 13 || p.in_channels < 32 ||
      p.out_channels < 24) {
    return false;
  }
  if (direct == Precision::kFp32) return true;
  // In bf16 a direct convolution does twice the products in the same time: measured on the
  // convolutions of six networks, a lot of few tiles needs many channels to be as fast.
  constexpr std::int64_t kFewTiles = 16, kManyWeights = 256 * 256, kManyProducts = 4'000'000;
  const std::int64_t tiles = ((out_height + kTile - 1) / kTile) * ((out_width + kTile - 1) / kTile);
  const std::int64_t weights = p.in_channels * p.out_channels;
  return tiles <= kFewTiles ? weights >= kManyWeights
                            : out_height * out_width * weights >= kManyProducts;
}

Winograd::Winograd(const SimdKernels& simd, const ConvParams& params, const float* weights,
                   const float* bias, const Epilogue& epilogue)
    : simd_(&simd), params_(params), epilogue_(epilogue) {
  assert(covers(params));
  for (std::int64_t i = 0; i < kProducts; ++i) {
    products_.emplace_back(simd, Precision::kFp32, params.in_channels, params.out_channels);
  }
  float transformed[kProducts];
  for (std::int64_t m = 0; m < params.out_channels; ++m) {
    for (std::int64_t c = 0; c < params.in_channels; ++c) {
      transform_filter(weights + (m * params.in_channels + c) * 9, transformed);
      for (std::size_t i = 0; i < kProducts; ++i) products_[i].set(c, m, transformed[i]);
    }
  }
  bias_ = AlignedFloats(padded_outputs());
  if (bias != nullptr) std::copy_n(bias, params.out_channels, bias_.data());
}

std::int64_t Winograd::padded_outputs() const {
  return (params_.out_channels + simd_->lanes - 1) / simd_->lanes * simd_->lanes;
}

// The transformed tiles should stay in L2; but all weights pass for every lot of tiles, so that it
// must not be a small one.
std::int64_t Winograd::tiles_at_once(std::int64_t tiles) const {
  constexpr std::int64_t kBytes = 512 * 1024, kFewest = 48;
  const std::int64_t tile_bytes = kProducts * (params_.in_channels + padded_outputs()) * 4;
  return std::min(tiles, std::max(kBytes / tile_bytes / 24 * 24, kFewest));
}

std::size_t Winograd::scratch_bytes(const ConvLastCall& call) const {
  const std::int64_t tiles =
      ((call.out_height + kTile - 1) / kTile) * ((call.out_width + kTile - 1) / kTile);
  return static_cast<std::size_t>(kProducts * tiles_at_once(tiles) *
                                  (params_.in_channels + padded_outputs())) *
         sizeof(float);
}

void Winograd::transform_input(const ConvLastCall& call, const Grid& grid, float* to) const {
  WinogradInput patch;
  patch.step = call.input.step;
  patch.precision = call.input.precision;
  patch.width = call.width;
  patch.channels = params_.in_channels;
  patch.product_step = grid.count * params_.in_channels;
  for (std::int64_t i = 0; i < grid.count; ++i) {
    const std::int64_t tile = grid.first + i;
    const std::int64_t top = tile / grid.across * kTile - call.pad_top;
    for (std::int64_t y = 0; y < kPatch; ++y) {
      const bool is_inside = top + y >= 0 && top + y < call.height;
      patch.rows[y] = is_inside ? call.input.from_pixel((top + y) * call.width).data : nullptr;
    }
    patch.first_column = tile % grid.across * kTile - call.pad_left;
    patch.to = to + i * params_.in_channels;
    simd_->winograd_input(patch);
  }
}

void Winograd::multiply(std::int64_t tiles, const float* from, float* to) const {
  ProductTile tile;
  tile.run = tile.step = params_.in_channels;
  tile.to.epilogue = &no_epilogue_;
  for (const Panels& product : products_) {
    for (const Panels::Panel& panel : product.panels()) {
      product.apply(panel, tile);
      for (std::int64_t i = 0; i < tiles; i += tile.rows) {
        tile.rows = product.rows(panel, tiles - i);
        const float* segment = from + i * params_.in_channels;
        tile.segments = &segment;
        tile.to.output =
            pixels_of(to + i * padded_outputs() + panel.first_column, padded_outputs());
        simd_->product(tile);
      }
    }
    from += tiles * params_.in_channels;
    to += tiles * padded_outputs();
  }
}

void Winograd::transform_output(const ConvLastCall& call, const Grid& grid,
                                const float* from) const {
  WinogradOutput tile;
  tile.product_step = grid.count * padded_outputs();
  tile.channels = params_.out_channels;
  tile.row_pixels = call.out_width;
  tile.to.bias = bias_.data();
  tile.to.epilogue = &epilogue_;
  for (std::int64_t i = 0; i < grid.count; ++i) {
    const std::int64_t y = (grid.first + i) / grid.across * kTile;
    const std::int64_t x = (grid.first + i) % grid.across * kTile;
    const std::int64_t pixel = y * call.out_width + x;
    tile.from = from + i * padded_outputs();
    tile.rows = static_cast<int>(std::min(kTile, call.out_height - y));
    tile.columns = static_cast<int>(std::min(kTile, call.out_width - x));
    tile.to.output = call.output.from_pixel(pixel);
    tile.to.residual = call.residual.from_pixel(pixel);
    simd_->winograd_output(tile);
  }
}

void Winograd::run(const ConvLastCall& call) const {
  assert(!call.input_is_planar);
  Grid grid;
  grid.across = (call.out_width + kTile - 1) / kTile;
  const std::int64_t tiles = (call.out_height + kTile - 1) / kTile * grid.across;
  const std::int64_t at_once = tiles_at_once(tiles);
  auto* inputs = reinterpret_cast<float*>(call.scratch);
  float* sums = inputs + kProducts * at_once * params_.in_channels;
  ConvLastCall image = call;
  for (std::int64_t n = 0; n < call.batch; ++n) {
    for (grid.first = 0; grid.first < tiles; grid.first += grid.count) {
      grid.count = std::min(at_once, tiles - grid.first);
      transform_input(image, grid, inputs);
      multiply(grid.count, inputs, sums);
      transform_output(image, grid, sums);
    }
    image.input = image.input.from_pixel(call.height * call.width);
    image.output = image.output.from_pixel(call.out_height * call.out_width);
    image.residual = image.residual.from_pixel(call.out_height * call.out_width);
  }
}

}  // namespace sluice::kernels
