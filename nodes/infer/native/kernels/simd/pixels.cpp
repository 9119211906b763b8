#include "sluice/nodes/infer/native/kernels/simd/kernels.h"

#include <limits>

namespace sluice::kernels::SLUICE_SIMD {
namespace {

template <class T>
SLUICE_TARGET void pool_pixel(const PoolRow& row, std::int64_t x, std::int64_t channel, Mask mask) {
  const bool is_mean = row.scale != nullptr;
  Vec result = all(is_mean ? 0.0f : -std::numeric_limits<float>::infinity());
  for (std::int64_t ky = 0; ky < row.kernel_h; ++ky) {
    if (row.rows[ky] == nullptr) continue;
    const auto* from = reinterpret_cast<const T*>(row.rows[ky]);
    for (std::int64_t kx = 0; kx < row.kernel_w; ++kx) {
      const std::int64_t column = x * row.stride_w - row.pad_left + kx * row.dilation_w;
      if (column < 0 || column >= row.width) continue;
      const Vec value = load(from + column * row.step + channel, mask);
      result = is_mean ? add(result, value) : max(result, value);
    }
  }
  if (is_mean) result = mul(result, all(row.scale[x]));
  store(reinterpret_cast<T*>(row.output.data) + x * row.output.step + channel, mask, result);
}

template <class T>
SLUICE_TARGET void pool_row(const PoolRow& row) {
  for (std::int64_t x = 0; x < row.out_width; ++x) {
    for (std::int64_t channel = 0; channel < row.channels; channel += kLanes) {
      pool_pixel<T>(row, x, channel, row_lanes(row.channels - channel, 0));
    }
  }
}

template <class T>
SLUICE_TARGET void add_row(std::int64_t count, std::int64_t channels, const T* input, float* sums) {
  for (std::int64_t channel = 0; channel < channels; channel += kLanes) {
    const Mask mask = row_lanes(channels - channel, 0);
    const T* pixel = input + channel;
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

}  // namespace

void pool(const PoolRow& row) {
#if SLUICE_SIMD_BF16
  if (row.output.is_bf16()) return pool_row<Bf16>(row);
#endif
  pool_row<float>(row);
}

void add_pixels(std::int64_t count, std::int64_t channels, const InputPixels& input, float* sums) {
#if SLUICE_SIMD_BF16
  if (input.is_bf16()) {
    return add_row(count, channels, reinterpret_cast<const Bf16*>(input.data), sums);
  }
#endif
  add_row(count, channels, input.floats(), sums);
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
