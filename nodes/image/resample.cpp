#include "sluice/nodes/image/resample.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace sluice {
namespace {

// Weights are whole numbers of 1 / 2^22, so that a sum of products of bytes fits 32 bits.
constexpr int kPrecisionBits = 32 - 8 - 2;

// Which source positions make each target position, and with what weight.
struct Weights {
  struct Window {
    int begin;
    int count;
  };
  std::vector<Window> windows;  // per target position
  std::vector<std::int32_t> values;
  int stride = 0;  // values of one target position

  const std::int32_t* of(std::size_t target) const {
    return values.data() + target * static_cast<std::size_t>(stride);
  }
};

Weights make_weights(int source, int target) {
  const double scale = static_cast<double>(source) / target;
  const double support = std::max(1.0, scale);  // half the triangle's base, in source pixels
  Weights weights;
  weights.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  weights.windows.reserve(static_cast<std::size_t>(target));
  weights.values.resize(static_cast<std::size_t>(target) *
                        static_cast<std::size_t>(weights.stride));
  std::vector<double> raw(static_cast<std::size_t>(weights.stride));
  for (int i = 0; i < target; ++i) {
    const double centre = (i + 0.5) * scale;
    const int begin = std::max(0, static_cast<int>(centre - support + 0.5));
    const int end = std::min(source, static_cast<int>(centre + support + 0.5));
    double sum = 0;
    for (int k = begin; k < end; ++k) {
      const double weight = std::max(0.0, 1.0 - std::abs((k - centre + 0.5) / support));
      raw[static_cast<std::size_t>(k - begin)] = weight;
      sum += weight;
    }
    weights.windows.push_back({begin, end - begin});
    std::int32_t* values = weights.values.data() +
                           static_cast<std::size_t>(i) * static_cast<std::size_t>(weights.stride);
    for (int k = 0; k < end - begin; ++k) {
      values[k] = static_cast<std::int32_t>(
          std::lround(raw[static_cast<std::size_t>(k)] / sum * (1 << kPrecisionBits)));
    }
  }
  return weights;
}

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

void scale_row(const std::uint8_t* source, std::uint8_t* target, const Weights& weights,
               int channels) {
  for (std::size_t x = 0; x < weights.windows.size(); ++x) {
    const auto [begin, count] = weights.windows[x];
    const std::int32_t* weight = weights.of(x);
    for (int c = 0; c < channels; ++c) {
      std::int32_t sum = kHalf;
      const std::uint8_t* pixel = source + begin * channels + c;
      for (int k = 0; k < count; ++k) sum += weight[k] * pixel[k * channels];
      target[static_cast<int>(x) * channels + c] = rounded(sum);
    }
  }
}

}  // namespace

void resample_antialiased(const Image& source, Image& target) {
  const int channels = source.channels();
  const Weights across = make_weights(source.width(), target.width());
  const Weights down = make_weights(source.height(), target.height());
  const auto row_bytes =
      static_cast<std::size_t>(target.width()) * static_cast<std::size_t>(channels);

  // Only the rows that the current target row needs are kept, in a ring.
  const int ring_rows = down.stride;
  std::vector<std::uint8_t> ring(row_bytes * static_cast<std::size_t>(ring_rows));
  const auto ring_row = [&](int y) {
    return ring.data() + row_bytes * static_cast<std::size_t>(y % ring_rows);
  };
  std::vector<std::int32_t> sums(row_bytes);
  int scaled_until = 0;
  for (int y = 0; y < target.height(); ++y) {
    const auto [begin, count] = down.windows[static_cast<std::size_t>(y)];
    for (scaled_until = std::max(scaled_until, begin); scaled_until < begin + count;
         ++scaled_until) {
      scale_row(source.row(scaled_until), ring_row(scaled_until), across, channels);
    }
    std::fill(sums.begin(), sums.end(), kHalf);
    const std::int32_t* weight = down.of(static_cast<std::size_t>(y));
    for (int k = 0; k < count; ++k) {
      const std::uint8_t* row = ring_row(begin + k);
      for (std::size_t i = 0; i < row_bytes; ++i) sums[i] += weight[k] * row[i];
    }
    std::uint8_t* out = target.row(y);
    for (std::size_t i = 0; i < row_bytes; ++i) out[i] = rounded(sums[i]);
  }
}

}  // namespace sluice
