#include "sluice/nodes/infer/native/kernels/simd/kernels.h"

#include <limits>

namespace sluice::kernels::SLUICE_SIMD {
namespace {

SLUICE_TARGET void pool_pixel(const PoolRow& row, std::int64_t x, std::int64_t channel, Mask mask) {
  const bool is_mean = row.scale != nullptr;
  Vec result = all(is_mean ? 0.0f : -std::numeric_limits<float>::infinity());
  for (std::int64_t ky = 0; ky < row.kernel_h; ++ky) {
    if (row.rows[ky] == nullptr) continue;
    for (std::int64_t kx = 0; kx < row.kernel_w; ++kx) {
      const std::int64_t column = x * row.stride_w - row.pad_left + kx * row.dilation_w;
      if (column < 0 || column >= row.width) continue;
      const Vec value = load(row.rows[ky] + column * row.step + channel, mask);
      result = is_mean ? add(result, value) : max(result, value);
    }
  }
  if (is_mean) result = mul(result, all(row.scale[x]));
  store(row.output + x * row.output_step + channel, mask, result);
}

}  // namespace

SLUICE_TARGET void pool(const PoolRow& row) {
  for (std::int64_t x = 0; x < row.out_width; ++x) {
    for (std::int64_t channel = 0; channel < row.channels; channel += kLanes) {
      pool_pixel(row, x, channel, row_lanes(row.channels - channel, 0));
    }
  }
}

SLUICE_TARGET void add_pixels(std::int64_t count, std::int64_t channels, const float* input,
                              float* sums) {
  for (std::int64_t channel = 0; channel < channels; channel += kLanes) {
    const Mask mask = row_lanes(channels - channel, 0);
    const float* pixel = input + channel;
    // Four chains, as each addition waits for the one before it.
    Vec part[4] = {load(sums + channel, mask), zero(), zero(), zero()};
    std::int64_t i = 0;
    for (; i + 4 <= count; i += 4, pixel += 4 * channels) {
      part[0] = add(part[0], load(pixel, mask));
      part[1] = add(part[1], load(pixel + channels, mask));
      part[2] = add(part[2], load(pixel + 2 * channels, mask));
      part[3] = add(part[3], load(pixel + 3 * channels, mask));
    }
    for (; i < count; ++i, pixel += channels) part[0] = add(part[0], load(pixel, mask));
    store(sums + channel, mask, add(add(part[0], part[1]), add(part[2], part[3])));
  }
}

void interleave(std::int64_t count, std::int64_t channels, const float* planes, std::int64_t plane,
                float* pixels) {
  for (std::int64_t c = 0; c < channels; ++c) {
    const float* from = planes + c * plane;
    float* to = pixels + c;
    for (std::int64_t i = 0; i < count; ++i) to[i * channels] = from[i];
  }
}

}  // namespace sluice::kernels::SLUICE_SIMD
