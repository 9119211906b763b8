#include "sluice/nodes/infer/native/kernels/simd/tile.h"

#include <algorithm>

namespace sluice::kernels::SLUICE_SIMD {
namespace {

// The first lanes of a vector of channels, and where it lies.
struct Channels {
  std::int64_t first = 0;
  Mask mask = {};
  std::int64_t padded = 0;  // from a tap's weights to the next tap's
};

SLUICE_INLINE TileOutput output_at(const DepthwiseRow& row, const Channels& channels,
                                   std::int64_t x) {
  TileOutput to = row.to;
  to.advance(x, channels.first);
  return to;
}

// Where a channel of a row's pixel lies, whose elements are of type T.
template <class T>
SLUICE_INLINE const T* element(const DepthwiseRow& row, std::int64_t ky, std::int64_t pixel,
                               std::int64_t channel) {
  return reinterpret_cast<const T*>(row.rows[ky]) + pixel * row.step + channel;
}

// One pixel, with the taps that lie inside the row.
template <class T>
SLUICE_TARGET void edge(const DepthwiseRow& row, const Channels& channels, std::int64_t x) {
  Vec sums[1][1] = {{load(row.to.bias + channels.first)}};
  for (std::int64_t ky = 0; ky < row.kernel_h; ++ky) {
    if (row.rows[ky] == nullptr) continue;
    for (std::int64_t kx = 0; kx < row.kernel_w; ++kx) {
      const std::int64_t column = x * row.stride_w - row.pad_left + kx * row.dilation_w;
      if (column < 0 || column >= row.width) continue;
      const float* weights =
          row.weights + (ky * row.kernel_w + kx) * channels.padded + channels.first;
      const Vec value = load(element<T>(row, ky, column, channels.first), channels.mask);
      sums[0][0] = fma(value, load(weights), sums[0][0]);
    }
  }
  finish<T, 1, 1>(output_at(row, channels, x), channels.mask, sums);
}

// kPixels pixels of which no tap is outside. Each column is loaded once and used by all pixels that
// see it.
template <class T, int kPixels, int kKernel, int kStride>
SLUICE_TARGET void inner(const DepthwiseRow& row, const Channels& channels, std::int64_t x) {
  constexpr int kColumns = (kPixels - 1) * kStride + kKernel;
  Vec sums[kPixels][1];
  const Vec bias = load(row.to.bias + channels.first);
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) sums[p][0] = bias;
  for (std::int64_t ky = 0; ky < row.kernel_h; ++ky) {
    if (row.rows[ky] == nullptr) continue;
    Vec weights[kKernel];
#pragma GCC unroll 7
    for (int kx = 0; kx < kKernel; ++kx) {
      weights[kx] = load(row.weights + (ky * kKernel + kx) * channels.padded + channels.first);
    }
    const T* from = element<T>(row, ky, x * kStride - row.pad_left, channels.first);
#pragma GCC unroll 21
    for (int column = 0; column < kColumns; ++column) {
      const Vec value = load(from + column * row.step, channels.mask);
#pragma GCC unroll 8
      for (int p = 0; p < kPixels; ++p) {
        const int kx = column - p * kStride;
        if (kx >= 0 && kx < kKernel) sums[p][0] = fma(value, weights[kx], sums[p][0]);
      }
    }
  }
  finish<T, kPixels, 1>(output_at(row, channels, x), channels.mask, sums);
}

// Pixels begin..end, so many at once, all of their channels.
using Pixels = void (*)(const DepthwiseRow&, const Channels&, std::int64_t);

SLUICE_TARGET void over_channels(const DepthwiseRow& row, Pixels pixels, std::int64_t begin,
                                 std::int64_t end, std::int64_t at_once) {
  Channels channels;
  channels.padded = (row.channels + kLanes - 1) / kLanes * kLanes;
  for (; channels.first < row.channels; channels.first += kLanes) {
    channels.mask = row_lanes(row.channels - channels.first, 0);
    for (std::int64_t x = begin; x < end; x += at_once) pixels(row, channels, x);
  }
}

struct Inner {
  Pixels eight = nullptr, two = nullptr;  // so many pixels at once; null for other windows
};

template <class T, int kKernel, int kStride>
constexpr Inner kInner = {inner<T, 8, kKernel, kStride>, inner<T, 2, kKernel, kStride>};

template <class T>
Inner inner_for(const DepthwiseRow& row) {
  if (row.dilation_w != 1) return {};
  if (row.stride_w == 1) {
    if (row.kernel_w == 3) return kInner<T, 3, 1>;
    if (row.kernel_w == 5) return kInner<T, 5, 1>;
    if (row.kernel_w == 7) return kInner<T, 7, 1>;
  } else if (row.stride_w == 2) {
    if (row.kernel_w == 3) return kInner<T, 3, 2>;
    if (row.kernel_w == 5) return kInner<T, 5, 2>;
  }
  return {};
}

template <class T>
void run(const DepthwiseRow& row) {
  const Inner inside = inner_for<T>(row);
  // The pixels none of whose taps is outside.
  std::int64_t first = row.out_width, last = row.out_width;
  if (inside.eight != nullptr) {
    const std::int64_t room = row.width + row.pad_left - row.kernel_w;
    first = std::min((row.pad_left + row.stride_w - 1) / row.stride_w, row.out_width);
    last = room < 0 ? first : std::clamp(room / row.stride_w + 1, first, row.out_width);
  }
  // Strips are so short that what tiles of neighbouring channels share stays in L1, and so long
  // that tiles side by side find most of their columns there.
  constexpr std::int64_t kStrip = 24;
  over_channels(row, edge<T>, 0, first, 1);
  std::int64_t x = first;
  for (; x + 8 <= last; x = std::min(x + kStrip, x + (last - x) / 8 * 8)) {
    over_channels(row, inside.eight, x, std::min(x + kStrip, x + (last - x) / 8 * 8), 8);
  }
  if (x + 2 <= last) {
    over_channels(row, inside.two, x, x + (last - x) / 2 * 2, 2);
    x += (last - x) / 2 * 2;
  }
  over_channels(row, edge<T>, x, row.out_width, 1);
}

}  // namespace

void depthwise(const DepthwiseRow& row) {
#if SLUICE_SIMD_BF16
  if (row.precision == Precision::kBf16) return run<Bf16>(row);
#endif
  run<float>(row);
}

}  // namespace sluice::kernels::SLUICE_SIMD
