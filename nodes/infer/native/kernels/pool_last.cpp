#include "sluice/nodes/infer/native/kernels/pool_last.h"

#include "sluice/nodes/infer/native/kernels/aligned.h"

#include <algorithm>

namespace sluice::kernels {
namespace {

// How many taps of a window lie in [low, high).
std::int64_t taps_within(std::int64_t start, std::int64_t kernel, std::int64_t dilation,
                         std::int64_t low, std::int64_t high) {
  std::int64_t count = 0;
  for (std::int64_t k = 0; k < kernel; ++k) {
    const std::int64_t at = start + k * dilation;
    count += at >= low && at < high ? 1 : 0;
  }
  return count;
}

// The taps that a mean divides by, along one axis.
struct Axis {
  std::int64_t extent, out, kernel, stride, dilation, pad_begin, pad_end;

  std::int64_t counted(std::int64_t i, const PoolParams& p) const {
    const std::int64_t low = p.count_include_pad ? -pad_begin : 0;
    const std::int64_t high = p.count_include_pad ? extent + pad_end : extent;
    return taps_within(i * stride - pad_begin, kernel, dilation, low, high);
  }
};

std::size_t rows_bytes(const PoolParams& p) {
  return align_up(static_cast<std::size_t>(p.kernel_h) * sizeof(const float*));
}

}  // namespace

std::size_t pool_last_scratch_bytes(const PoolLastParams& params) {
  return rows_bytes(params.window) +
         static_cast<std::size_t>(params.window.out_width) * sizeof(float);
}

void pool_last(const SimdKernels& simd, const PoolLastParams& params, const InputPixels& input,
               const OutputPixels& output, std::byte* scratch) {
  const PoolParams& p = params.window;
  const Axis vertical{p.height,     p.out_height, p.kernel_h,  p.stride_h,
                      p.dilation_h, p.pad_top,    p.pad_bottom};
  const Axis horizontal{p.width,      p.out_width, p.kernel_w, p.stride_w,
                        p.dilation_w, p.pad_left,  p.pad_right};
  auto** rows = reinterpret_cast<const std::byte**>(scratch);
  auto* scale = reinterpret_cast<float*>(scratch + rows_bytes(p));
  PoolRow row;
  row.rows = rows;
  row.channels = params.channels;
  row.step = input.step;
  row.width = p.width, row.out_width = p.out_width;
  row.kernel_h = p.kernel_h, row.kernel_w = p.kernel_w;
  row.stride_w = p.stride_w, row.dilation_w = p.dilation_w, row.pad_left = p.pad_left;
  row.scale = params.kind == PoolKind::kAverage ? scale : nullptr;
  row.output = output;
  for (std::int64_t n = 0; n < params.batch; ++n) {
    const InputPixels image = input.from_pixel(n * p.height * p.width);
    for (std::int64_t y = 0; y < p.out_height; ++y) {
      for (std::int64_t ky = 0; ky < p.kernel_h; ++ky) {
        const std::int64_t from = y * p.stride_h - p.pad_top + ky * p.dilation_h;
        rows[ky] = from < 0 || from >= p.height ? nullptr : image.from_pixel(from * p.width).data;
      }
      for (std::int64_t x = 0; row.scale != nullptr && x < p.out_width; ++x) {
        const std::int64_t count = vertical.counted(y, p) * horizontal.counted(x, p);
        scale[x] = count > 0 ? 1.0f / static_cast<float>(count) : 0.0f;
      }
      simd.pool(row);
      row.output = row.output.from_pixel(p.out_width);
    }
  }
}

// Partial sums in float stay short, and the sum of those is in double: the mean of a page of some
// million values must not lose the digits of the last of them.
std::size_t mean_last_scratch_bytes(std::int64_t channels) {
  return static_cast<std::size_t>(channels) * (sizeof(double) + sizeof(float));
}

void mean_last(const SimdKernels& simd, std::int64_t batch, std::int64_t area,
               std::int64_t channels, InputPixels input, float* output, std::byte* scratch) {
  constexpr std::int64_t kBlock = 512;
  auto* totals = reinterpret_cast<double*>(scratch);
  auto* sums = reinterpret_cast<float*>(totals + channels);
  for (std::int64_t n = 0; n < batch; ++n, output += channels) {
    std::fill_n(totals, channels, 0.0);
    for (std::int64_t i = 0; i < area; i += kBlock) {
      const std::int64_t count = std::min(kBlock, area - i);
      std::fill_n(sums, channels, 0.0f);
      simd.add_pixels(count, channels, input, sums);
      input = input.from_pixel(count);
      for (std::int64_t c = 0; c < channels; ++c) totals[c] += static_cast<double>(sums[c]);
    }
    for (std::int64_t c = 0; c < channels; ++c) {
      output[c] = static_cast<float>(totals[c] / static_cast<double>(area));
    }
  }
}

}  // namespace sluice::kernels
