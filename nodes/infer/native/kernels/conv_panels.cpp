#include "sluice/nodes/infer/native/kernels/conv_plan.h"
#include "sluice/nodes/infer/native/kernels/tile.h"

#include <algorithm>
#include <cstring>

namespace sluice::kernels {
namespace {

// Columns unfolded at a time: as many as keep the panels within most of a small L2.
std::int64_t chunk_for(std::int64_t columns, std::int64_t depth) {
  constexpr std::int64_t kFloats = 40 * 1024;
  const std::int64_t fitting = kFloats / depth / kTileColumns * kTileColumns;
  const std::int64_t all = (columns + kTileColumns - 1) / kTileColumns * kTileColumns;
  return std::min(all, std::clamp<std::int64_t>(fitting, 2 * kTileColumns, 1024));
}

bool is_pointwise(const ConvParams& p) {
  return p.kernel_h == 1 && p.kernel_w == 1 && p.stride_h == 1 && p.stride_w == 1 &&
         p.pad_top == 0 && p.pad_left == 0 && p.pad_bottom == 0 && p.pad_right == 0;
}

// Which columns of the unfolded input, [first, first + count), and which channels of it.
struct Block {
  std::int64_t first = 0, count = 0;
  std::int64_t channel = 0, channels = 0;
};

// For a 1x1 the unfolded input is the input; only its order changes, to
// [panel][channel][kTileColumns].
void copy_panels(const Block& block, const float* input, std::int64_t area, float* panels) {
  for (std::int64_t c = 0; c < block.channels; ++c) {
    const float* row = input + (block.channel + c) * area + block.first;
    float* to = panels + c * kTileColumns;
    std::int64_t left = block.count;
    for (; left >= kTileColumns; left -= kTileColumns) {
      std::memcpy(to, row, kTileColumns * sizeof(float));
      row += kTileColumns;
      to += block.channels * kTileColumns;
    }
    if (left > 0) {
      std::copy_n(row, left, to);
      std::fill(to + left, to + kTileColumns, 0.0f);
    }
  }
}

// One panel: [channel][tap][kTileColumns].
void unfold_panel(const ConvPlan& plan, const ConvImage& image, const Block& block,
                  const float* input, float* panel) {
  const ConvParams& p = plan.params;
  const std::int64_t area = image.height * image.width;
  std::int64_t top[kTileColumns], left[kTileColumns];
  for (std::int64_t i = 0; i < block.count; ++i) {
    top[i] = (block.first + i) / image.out_width * p.stride_h - p.pad_top;
    left[i] = (block.first + i) % image.out_width * p.stride_w - p.pad_left;
  }
  for (std::int64_t tap = 0; tap < plan.window(); ++tap) {
    const std::int64_t down = tap / p.kernel_w * p.dilation_h,
                       right = tap % p.kernel_w * p.dilation_w;
    std::int64_t offset[kTileColumns];
    bool all_inside = block.count == kTileColumns, in_a_row = all_inside;
    for (std::int64_t i = 0; i < kTileColumns; ++i) {
      const bool inside = i < block.count && top[i] + down >= 0 && top[i] + down < image.height &&
                          left[i] + right >= 0 && left[i] + right < image.width;
      offset[i] = inside ? (top[i] + down) * image.width + left[i] + right : -1;
      all_inside = all_inside && inside;
      in_a_row = in_a_row && offset[i] == offset[0] + i;
    }
    const float* plane = input + block.channel * area;
    float* to = panel + tap * kTileColumns;
    for (std::int64_t c = 0; c < block.channels; ++c) {
      if (all_inside && in_a_row) {
        std::memcpy(to, plane + offset[0], kTileColumns * sizeof(float));
      } else if (all_inside) {
        for (int i = 0; i < kTileColumns; ++i) to[i] = plane[offset[i]];
      } else {
        for (int i = 0; i < kTileColumns; ++i) to[i] = offset[i] < 0 ? 0.0f : plane[offset[i]];
      }
      plane += area;
      to += plan.window() * kTileColumns;
    }
  }
}

void fill_panels(const ConvPlan& plan, const ConvImage& image, const Block& block,
                 const float* input, float* panels) {
  if (is_pointwise(plan.params))
    return copy_panels(block, input, image.height * image.width, panels);
  for (std::int64_t i = 0; i < block.count; i += kTileColumns) {
    const Block part{block.first + i, std::min<std::int64_t>(kTileColumns, block.count - i),
                     block.channel, block.channels};
    unfold_panel(plan, image, part, input, panels + i * block.channels * plan.window());
  }
}

// All output channels of a group over the columns of one block.
void multiply(const ConvPlan& plan, const ConvImage& image, std::int64_t group, const Block& block,
              const float* panels, const Residual& residual) {
  // Rows of weights that stay in L2 while the panels go by, one by one through L1.
  constexpr std::int64_t kRowFloats = 32 * 1024;
  const std::int64_t rows = plan.group_outputs();
  const std::int64_t out_area = image.out_height * image.out_width;
  const std::int64_t block_depth = block.channels * plan.window();
  const std::int64_t row_block =
      std::max<std::int64_t>(kTileRows, kRowFloats / block_depth / kTileRows * kTileRows);
  const float* weights = plan.weights.data() + group * packed_rows_size(rows, plan.depth());

  Tile tile;
  tile.b_step = kTileColumns;
  tile.depth = block_depth;
  tile.c_step = out_area;
  tile.residual_step = residual.step;
  tile.epilogue = &plan.epilogue;
  tile.accumulate = block.channel > 0;
  tile.finish = block.channel + block.channels == plan.group_inputs();
  for (std::int64_t row_start = 0; row_start < rows; row_start += row_block) {
    const std::int64_t row_end = std::min(rows, row_start + row_block);
    for (std::int64_t i = 0; i < block.count; i += kTileColumns) {
      tile.b = panels + i * block_depth;
      tile.columns = static_cast<int>(std::min<std::int64_t>(kTileColumns, block.count - i));
      for (std::int64_t row = row_start; row < row_end; row += kTileRows) {
        const std::int64_t channel = group * rows + row;
        const std::int64_t at = channel * out_area + block.first + i;
        tile.rows = static_cast<int>(std::min<std::int64_t>(kTileRows, rows - row));
        tile.a = weights + row * plan.depth() + block.channel * plan.window() * kTileRows;
        tile.row_bias = plan.bias.data() + channel;
        tile.c = image.output + at;
        tile.residual =
            residual.data == nullptr ? nullptr : residual.data + row * residual.step + i;
        run_tile_avx2(tile);
      }
    }
  }
}

}  // namespace

std::size_t conv_panels_scratch(const ConvPlan& plan, std::int64_t height, std::int64_t width) {
  const std::int64_t columns = plan.params.out_height(height) * plan.params.out_width(width);
  const std::int64_t depth = channel_block(plan) * plan.window();
  const std::int64_t chunk = chunk_for(columns, depth);
  return static_cast<std::size_t>(chunk * depth + residual_copy_size(plan, chunk)) * sizeof(float);
}

void conv_panels(const ConvPlan& plan, const ConvImage& image) {
  const std::int64_t columns = image.out_height * image.out_width;
  const std::int64_t channels = channel_block(plan);
  const std::int64_t depth = channels * plan.window();
  const std::int64_t chunk = chunk_for(columns, depth);
  float* panels = reinterpret_cast<float*>(image.scratch);
  float* residual_copy = panels + chunk * depth;
  for (std::int64_t group = 0; group < plan.params.groups; ++group) {
    const float* input = image.input + group * plan.group_inputs() * image.height * image.width;
    for (std::int64_t first = 0; first < columns; first += chunk) {
      const std::int64_t count = std::min(chunk, columns - first);
      const Residual residual = residual_of(
          plan, image, group * plan.group_outputs() * columns + first, count, residual_copy);
      for (std::int64_t channel = 0; channel < plan.group_inputs(); channel += channels) {
        const Block block{first, count, channel, std::min(channels, plan.group_inputs() - channel)};
        fill_panels(plan, image, block, input, panels);
        multiply(plan, image, group, block, panels, residual);
      }
    }
  }
}

}  // namespace sluice::kernels
