#include "sluice/nodes/infer/native/kernels/conv_plan.h"
#include "sluice/nodes/infer/native/kernels/tile.h"

#include <algorithm>
#include <cstring>

namespace sluice::kernels {
namespace {

// A strip of output columns and the ring of input rows under it. A row of the ring holds, for every
// channel, the strip's input with its padding, one column phase (x mod stride) after another, so
// that the tile finds the values of consecutive outputs side by side whatever the stride is.
struct Ring {
  std::int64_t strip = 0;  // output columns at a time
  std::int64_t phase = 0;  // floats of one phase
  std::int64_t row = 0;    // floats of one channel's row: all phases
  std::int64_t slots = 0;  // rows in the ring
  std::int64_t channels = 0;

  std::int64_t size() const { return slots * channels * row; }
};

Ring ring_for(const ConvPlan& plan, std::int64_t strip) {
  const ConvParams& p = plan.params;
  Ring ring;
  ring.strip = strip;
  const std::int64_t padded = (strip + kTileColumns - 1) / kTileColumns * kTileColumns;
  ring.phase = (padded + (p.kernel_w - 1) * p.dilation_w / p.stride_w + 1 + 7) / 8 * 8;
  ring.row = ring.phase * p.stride_w;
  ring.slots = (p.kernel_h - 1) * p.dilation_h + 1;
  ring.channels = plan.group_inputs();
  return ring;
}

// The widest strip, in equal parts of the row, whose ring stays in L2.
Ring choose_ring(const ConvPlan& plan, std::int64_t out_width) {
  constexpr std::int64_t kFloats = 80 * 1024;
  Ring ring = ring_for(plan, out_width);
  for (std::int64_t parts = 2; ring.size() > kFloats && ring.strip > 2 * kTileColumns; ++parts) {
    const std::int64_t strip = (out_width + parts - 1) / parts;
    ring = ring_for(plan, (strip + kTileColumns - 1) / kTileColumns * kTileColumns);
  }
  return ring;
}

// One channel's input row, from column `left` (which may be outside) on, into the phases of a ring
// row.
void load_row(const Ring& ring, std::int64_t stride, std::int64_t left, std::int64_t width,
              const float* row, float* to) {
  for (std::int64_t f = 0; f < stride; ++f) {
    const std::int64_t start = left + f;
    // Elements i with 0 <= start + i * stride < width.
    const std::int64_t first =
        std::clamp<std::int64_t>(start >= 0 ? 0 : (-start + stride - 1) / stride, 0, ring.phase);
    const std::int64_t end = std::clamp<std::int64_t>(
        width > start ? (width - start + stride - 1) / stride : 0, first, ring.phase);
    std::fill_n(to, first, 0.0f);
    const float* from = row + start;
    if (stride == 1) {
      std::copy(from + first, from + end, to + first);
    } else if (stride == 2) {
      for (std::int64_t i = first; i < end; ++i) to[i] = from[2 * i];
    } else {
      for (std::int64_t i = first; i < end; ++i) to[i] = from[stride * i];
    }
    std::fill_n(to + end, ring.phase - end, 0.0f);
    to += ring.phase;
  }
}

void load_slot(const ConvPlan& plan, const ConvImage& image, const Ring& ring, const float* input,
               std::int64_t y, std::int64_t left, float* slot) {
  if (y < 0 || y >= image.height) {
    std::fill_n(slot, ring.channels * ring.row, 0.0f);
    return;
  }
  for (std::int64_t c = 0; c < ring.channels; ++c) {
    load_row(ring, plan.params.stride_w, left, image.width,
             input + (c * image.height + y) * image.width, slot + c * ring.row);
  }
}

// Where the tile finds the values of tap k = (channel, ky, kx) for output row `out_y`.
void set_offsets(const ConvPlan& plan, const Ring& ring, std::int64_t out_y,
                 std::int32_t* offsets) {
  const ConvParams& p = plan.params;
  for (std::int64_t ky = 0; ky < p.kernel_h; ++ky) {
    const std::int64_t slot = (out_y * p.stride_h + ky * p.dilation_h) % ring.slots;
    for (std::int64_t kx = 0; kx < p.kernel_w; ++kx) {
      const std::int64_t x = kx * p.dilation_w;
      std::int64_t at =
          slot * ring.channels * ring.row + x % p.stride_w * ring.phase + x / p.stride_w;
      for (std::int64_t c = 0; c < ring.channels; ++c, at += ring.row) {
        offsets[(c * p.kernel_h + ky) * p.kernel_w + kx] = static_cast<std::int32_t>(at);
      }
    }
  }
}

struct Strip {
  std::int64_t group = 0;
  std::int64_t first = 0, count = 0;  // output columns
};

void multiply_row(const ConvPlan& plan, const ConvImage& image, const Strip& strip,
                  std::int64_t out_y, const float* ring_data, const std::int32_t* offsets,
                  const Residual& residual) {
  const std::int64_t rows = plan.group_outputs();
  const std::int64_t out_area = image.out_height * image.out_width;
  const std::int64_t channels = channel_block(plan);
  const float* weights = plan.weights.data() + strip.group * packed_rows_size(rows, plan.depth());
  Tile tile;
  tile.c_step = out_area;
  tile.residual_step = residual.step;
  tile.epilogue = &plan.epilogue;
  for (std::int64_t channel = 0; channel < plan.group_inputs(); channel += channels) {
    tile.depth = std::min(channels, plan.group_inputs() - channel) * plan.window();
    tile.b_offsets = offsets + channel * plan.window();
    tile.accumulate = channel > 0;
    tile.finish = channel + channels >= plan.group_inputs();
    for (std::int64_t i = 0; i < strip.count; i += kTileColumns) {
      tile.b = ring_data + i;
      tile.columns = static_cast<int>(std::min<std::int64_t>(kTileColumns, strip.count - i));
      for (std::int64_t row = 0; row < rows; row += kTileRows) {
        const std::int64_t out_channel = strip.group * rows + row;
        const std::int64_t at = out_channel * out_area + out_y * image.out_width + strip.first + i;
        tile.rows = static_cast<int>(std::min<std::int64_t>(kTileRows, rows - row));
        tile.a = weights + row * plan.depth() + channel * plan.window() * kTileRows;
        tile.row_bias = plan.bias.data() + out_channel;
        tile.c = image.output + at;
        tile.residual =
            residual.data == nullptr ? nullptr : residual.data + row * residual.step + i;
        run_tile_avx2(tile);
      }
    }
  }
}

// What a call keeps in its scratch, in this order.
struct Parts {
  std::size_t ring = 0, offsets = 0, residual = 0;  // bytes
};

Parts parts_of(const ConvPlan& plan, const Ring& ring) {
  return {align_up(static_cast<std::size_t>(ring.size()) * sizeof(float)),
          align_up(static_cast<std::size_t>(plan.depth()) * sizeof(std::int32_t)),
          static_cast<std::size_t>(residual_copy_size(plan, ring.strip)) * sizeof(float)};
}

}  // namespace

std::size_t conv_rows_scratch(const ConvPlan& plan, std::int64_t, std::int64_t width) {
  const Parts parts = parts_of(plan, choose_ring(plan, plan.params.out_width(width)));
  return parts.ring + parts.offsets + parts.residual;
}

void conv_rows(const ConvPlan& plan, const ConvImage& image) {
  const ConvParams& p = plan.params;
  const Ring ring = choose_ring(plan, image.out_width);
  const Parts parts = parts_of(plan, ring);
  float* data = reinterpret_cast<float*>(image.scratch);
  auto* offsets = reinterpret_cast<std::int32_t*>(image.scratch + parts.ring);
  auto* residual_copy = reinterpret_cast<float*>(image.scratch + parts.ring + parts.offsets);
  Strip strip;
  for (strip.group = 0; strip.group < p.groups; ++strip.group) {
    const float* input =
        image.input + strip.group * plan.group_inputs() * image.height * image.width;
    for (strip.first = 0; strip.first < image.out_width; strip.first += ring.strip) {
      strip.count = std::min(ring.strip, image.out_width - strip.first);
      const std::int64_t left = strip.first * p.stride_w - p.pad_left;
      std::int64_t loaded = 0;  // input rows before this one are in the ring or past use
      for (std::int64_t out_y = 0; out_y < image.out_height; ++out_y) {
        const std::int64_t top = out_y * p.stride_h;
        for (loaded = std::max(loaded, top); loaded < top + ring.slots; ++loaded) {
          load_slot(plan, image, ring, input, loaded - p.pad_top, left,
                    data + loaded % ring.slots * ring.channels * ring.row);
        }
        set_offsets(plan, ring, out_y, offsets);
        const std::int64_t at =
            (strip.group * plan.group_outputs() * image.out_height + out_y) * image.out_width;
        multiply_row(plan, image, strip, out_y, data, offsets,
                     residual_of(plan, image, at + strip.first, strip.count, residual_copy));
      }
    }
  }
}

}  // namespace sluice::kernels
