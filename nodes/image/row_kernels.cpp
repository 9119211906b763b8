#include "sluice/nodes/image/row_kernels.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr int kFilterBits = 22;
constexpr std::int32_t kFilterHalf = 1 << (kFilterBits - 1);

// Four bits less than the products have, which is all that the columns' sum uses.
template <int kChannels>
void blend(const std::uint8_t* source, std::span<const BilinearTap> taps, std::int16_t* target) {
  for (const BilinearTap& tap : taps) {
    const std::uint8_t* first = source + tap.first * kChannels;
    const std::uint8_t* second = source + tap.second * kChannels;
    for (int c = 0; c < kChannels; ++c) {
      *target++ = static_cast<std::int16_t>(
          (first[c] * tap.first_weight + second[c] * tap.second_weight) >> 4);
    }
  }
}

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kFilterBits, 0, 255));
}

template <int kChannels>
void filter(const std::uint8_t* source, const FilterTaps& taps, std::uint8_t* target) {
  for (std::size_t x = 0; x < taps.windows.size(); ++x) {
    const auto [begin, count] = taps.windows[x];
    const std::int32_t* weight = taps.of(x);
    const std::uint8_t* pixel = source + begin * kChannels;
    std::array<std::int32_t, kChannels> sums;
    sums.fill(kFilterHalf);
    for (int k = 0; k < count; ++k, pixel += kChannels) {
      for (int c = 0; c < kChannels; ++c) sums[static_cast<std::size_t>(c)] += weight[k] * pixel[c];
    }
    for (const std::int32_t sum : sums) *target++ = rounded(sum);
  }
}

void normalize_grey(const std::uint8_t* pixel, int channels, int count, const RowTarget& target) {
  const ByteScale scale = target.scales[0];
  float* to = target.to[0];
  for (int x = 0; x < count; ++x, pixel += channels, to += target.step) {
    const float grey = 0.299F * pixel[0] + 0.587F * pixel[1] + 0.114F * pixel[2];
    *to = grey * scale.factor + scale.bias;
  }
}

// Brings a row of colours to full width. The sums are those of the two rows, and `even` and `odd`
// what is added to round them in turns, so that no shade wins.
void widen(const std::array<const std::uint8_t*, 2>& rows, const YccRow& row,
           std::uint8_t* target) {
  const bool both = row.size == ChromaSize::kHalfBoth;
  const int even = both ? 8 : 1;
  const int odd = both ? 7 : 2;
  const int shift = both ? 4 : 2;
  const int last = row.chroma_width - 1;
  const auto sum = [&](int x) {
    x = std::clamp(x, 0, last);
    return both ? 3 * rows[0][x] + rows[1][x] : int{rows[0][x]};
  };
  for (int x = 0; x < row.width; ++x) {
    const int nearest = 3 * sum(x / 2);
    target[x] = static_cast<std::uint8_t>(x % 2 == 0 ? (nearest + sum(x / 2 - 1) + even) >> shift
                                                     : (nearest + sum(x / 2 + 1) + odd) >> shift);
  }
}

std::uint8_t clamped(int value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

void blend_columns(const std::uint8_t* source, int, int channels, std::span<const BilinearTap> taps,
                   std::int16_t* target) {
  if (channels == 1)
    blend<1>(source, taps, target);
  else if (channels == 3)
    blend<3>(source, taps, target);
  else
    blend<4>(source, taps, target);
}

void blend_rows(const std::int16_t* first, const std::int16_t* second, const BilinearTap& tap,
                int count, std::uint8_t* target) {
  for (int i = 0; i < count; ++i) {
    const int sum = ((first[i] * tap.first_weight) >> 16) + ((second[i] * tap.second_weight) >> 16);
    target[i] = static_cast<std::uint8_t>((sum + 2) >> 2);
  }
}

void filter_columns(const std::uint8_t* source, int, int channels, const FilterTaps& taps,
                    std::uint8_t* target) {
  if (channels == 1)
    filter<1>(source, taps, target);
  else if (channels == 3)
    filter<3>(source, taps, target);
  else
    filter<4>(source, taps, target);
}

void filter_rows(std::span<const std::uint8_t* const> rows, const std::int32_t* weights, int count,
                 std::uint8_t* target) {
  for (int i = 0; i < count; ++i) {
    std::int32_t sum = kFilterHalf;
    for (std::size_t k = 0; k < rows.size(); ++k) sum += weights[k] * rows[k][i];
    target[i] = rounded(sum);
  }
}

void normalize(const std::uint8_t* pixels, int channels, int count, const RowTarget& target) {
  if (target.mixes_grey) {
    normalize_grey(pixels, channels, count, target);
    return;
  }
  for (std::size_t plane = 0; plane < static_cast<std::size_t>(target.planes); ++plane) {
    const std::uint8_t* pixel = pixels + target.from[plane];
    const ByteScale scale = target.scales[plane];
    float* to = target.to[plane];
    for (int x = 0; x < count; ++x, pixel += channels, to += target.step)
      *to = static_cast<float>(*pixel) * scale.factor + scale.bias;
  }
}

void ycc_to_rgbx(const YccRow& row, std::uint8_t* scratch, std::uint8_t* target) {
  const std::uint8_t* cb = row.cb[0];
  const std::uint8_t* cr = row.cr[0];
  if (row.size != ChromaSize::kFull) {
    std::uint8_t* const wide_cr = scratch + row.width;
    widen(row.cb, row, scratch);
    widen(row.cr, row, wide_cr);
    cb = scratch;
    cr = wide_cr;
  }
  for (int x = 0; x < row.width; ++x, target += 4) {
    // The weights in 1 / 65536, as libjpeg has them in its tables.
    const int y = row.y[x];
    const int blue = cb[x] - 128;
    const int red = cr[x] - 128;
    target[0] = clamped(y + ((91881 * red + 32768) >> 16));
    target[1] = clamped(y + ((-22554 * blue - 46802 * red + 32768) >> 16));
    target[2] = clamped(y + ((116130 * blue + 32768) >> 16));
    target[3] = 255;
  }
}

constexpr RowKernels kPortable{blend_columns, blend_rows, filter_columns,
                               filter_rows,   normalize,  ycc_to_rgbx};

}  // namespace

const RowKernels& row_kernels(kernels::Isa isa) {
#if SLUICE_HAVE_AVX2
  if (isa != kernels::Isa::kPortable) return kAvx2RowKernels;
#else
  static_cast<void>(isa);
#endif
  return kPortable;
}

}  // namespace sluice
