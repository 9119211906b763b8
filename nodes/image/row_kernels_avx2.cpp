// The kernels for AVX2. What is no whole vector, and what is rare, the portable ones do.
#include "sluice/nodes/image/row_kernels.h"

#if SLUICE_HAVE_AVX2

#include <immintrin.h>

#include <algorithm>
#include <cstring>

// Without FMA, which rounds once where the portable code rounds twice.
#define SLUICE_ROWS __attribute__((target("avx2")))
#define SLUICE_ROWS_INLINE __attribute__((target("avx2"), always_inline)) inline

namespace sluice {
namespace {

const RowKernels& portable() { return row_kernels(kernels::Isa::kPortable); }

SLUICE_ROWS_INLINE __m128i load_8(const void* from) {
  return _mm_loadl_epi64(static_cast<const __m128i*>(from));
}
SLUICE_ROWS_INLINE __m128i load_16(const void* from) {
  return _mm_loadu_si128(static_cast<const __m128i*>(from));
}
SLUICE_ROWS_INLINE __m256i load_32(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
SLUICE_ROWS_INLINE void store_32(void* to, __m256i values) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), values);
}
SLUICE_ROWS_INLINE __m256i join(__m128i low, __m128i high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

// --- scaling -------------------------------------------------------------------------------------

SLUICE_ROWS_INLINE __m128i weights_of(const BilinearTap& tap) {
  std::int32_t both;
  std::memcpy(&both, &tap.first_weight, sizeof both);
  return _mm_set1_epi32(both);
}

SLUICE_ROWS void blend_columns(const std::uint8_t* source, int source_bytes, int channels,
                               std::span<const BilinearTap> taps, std::int16_t* target) {
  std::size_t whole = channels == 1 ? 0 : taps.size();
  while (whole > 0 && taps[whole - 1].first * channels + 8 > source_bytes) --whole;
  whole -= whole % 2;
  // Each channel of the two neighbours side by side, as 16 bits.
  const __m128i three = _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
  const __m128i four = _mm_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1);
  const __m256i order = _mm256_broadcastsi128_si256(channels == 3 ? three : four);
  for (std::size_t i = 0; i < whole; i += 2, target += 2 * channels) {
    const __m256i neighbours = join(load_8(source + taps[i].first * channels),
                                    load_8(source + taps[i + 1].first * channels));
    const __m256i weights = join(weights_of(taps[i]), weights_of(taps[i + 1]));
    const __m256i sums =
        _mm256_srai_epi32(_mm256_madd_epi16(_mm256_shuffle_epi8(neighbours, order), weights), 4);
    const __m256i packed = _mm256_packs_epi32(sums, sums);
    // The second overwrites what the first has too much.
    _mm_storel_epi64(reinterpret_cast<__m128i*>(target), _mm256_castsi256_si128(packed));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(target + channels),
                     _mm256_extracti128_si256(packed, 1));
  }
  portable().blend_columns(source, source_bytes, channels, taps.subspan(whole), target);
}

SLUICE_ROWS_INLINE __m256i blended(const std::int16_t* first, const std::int16_t* second,
                                   __m256i first_weight, __m256i second_weight) {
  const __m256i sum = _mm256_add_epi16(_mm256_mulhi_epi16(load_32(first), first_weight),
                                       _mm256_mulhi_epi16(load_32(second), second_weight));
  return _mm256_srai_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(2)), 2);
}

SLUICE_ROWS void blend_rows(const std::int16_t* first, const std::int16_t* second,
                            const BilinearTap& tap, int count, std::uint8_t* target) {
  const __m256i first_weight = _mm256_set1_epi16(tap.first_weight);
  const __m256i second_weight = _mm256_set1_epi16(tap.second_weight);
  int i = 0;
  for (; i + 32 <= count; i += 32) {
    const __m256i low = blended(first + i, second + i, first_weight, second_weight);
    const __m256i high = blended(first + i + 16, second + i + 16, first_weight, second_weight);
    store_32(target + i, _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xD8));
  }
  portable().blend_rows(first + i, second + i, tap, count - i, target + i);
}

constexpr int kFilterBits = 22;
constexpr std::int32_t kFilterHalf = 1 << (kFilterBits - 1);

// One pixel: two positions at a time, each in a half of the sum.
template <int kChannels>
SLUICE_ROWS_INLINE void filter_pixel(const std::uint8_t* pixel, const std::int32_t* weights,
                                     int count, std::uint8_t* target) {
  const __m128i order = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m256i each = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  __m256i sums = _mm256_setr_epi32(kFilterHalf, kFilterHalf, kFilterHalf, kFilterHalf, 0, 0, 0, 0);
  int k = 0;
  for (; k + 2 <= count; k += 2, pixel += 2 * kChannels) {
    __m128i bytes = load_8(pixel);
    if constexpr (kChannels == 3) bytes = _mm_shuffle_epi8(bytes, order);
    const __m256i weight =
        _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(load_8(weights + k)), each);
    sums = _mm256_add_epi32(sums, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), weight));
  }
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  if (k < count) {
    std::int32_t last;
    std::memcpy(&last, pixel, sizeof last);
    sum = _mm_add_epi32(sum, _mm_mullo_epi32(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(last)),
                                             _mm_set1_epi32(weights[k])));
  }
  const __m128i words = _mm_packs_epi32(_mm_srai_epi32(sum, kFilterBits), sum);
  const std::int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
  std::memcpy(target, &bytes, kChannels);
}

template <int kChannels>
SLUICE_ROWS void filter(const std::uint8_t* source, int source_bytes, const FilterTaps& taps,
                        std::uint8_t* target) {
  std::size_t whole = taps.windows.size();
  const auto reads_beyond = [&](const FilterTaps::Window& window) {
    return (window.begin + window.count) * kChannels + (8 - 2 * kChannels) > source_bytes;
  };
  while (whole > 0 && reads_beyond(taps.windows[whole - 1])) --whole;
  for (std::size_t x = 0; x < whole; ++x, target += kChannels) {
    const auto [begin, count] = taps.windows[x];
    filter_pixel<kChannels>(source + begin * kChannels, taps.of(x), count, target);
  }
  const FilterTaps rest{taps.windows.subspan(whole), taps.of(whole), taps.stride};
  portable().filter_columns(source, source_bytes, kChannels, rest, target);
}

void filter_columns(const std::uint8_t* source, int source_bytes, int channels,
                    const FilterTaps& taps, std::uint8_t* target) {
  if (channels == 4)
    filter<4>(source, source_bytes, taps, target);
  else if (channels == 3)
    filter<3>(source, source_bytes, taps, target);
  else
    portable().filter_columns(source, source_bytes, channels, taps, target);
}

SLUICE_ROWS_INLINE __m256i weighted(const std::uint8_t* bytes, __m256i weight) {
  return _mm256_mullo_epi32(_mm256_cvtepu8_epi32(load_8(bytes)), weight);
}

SLUICE_ROWS void filter_rows(std::span<const std::uint8_t* const> rows, const std::int32_t* weights,
                             int count, std::uint8_t* target) {
  const __m256i half = _mm256_set1_epi32(kFilterHalf);
  int i = 0;
  for (; i + 32 <= count; i += 32) {
    __m256i sums[] = {half, half, half, half};
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const __m256i weight = _mm256_set1_epi32(weights[k]);
      for (int part = 0; part < 4; ++part)
        sums[part] = _mm256_add_epi32(sums[part], weighted(rows[k] + i + 8 * part, weight));
    }
    for (__m256i& sum : sums) sum = _mm256_srai_epi32(sum, kFilterBits);
    const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(sums[0], sums[1]),
                                              _mm256_packs_epi32(sums[2], sums[3]));
    store_32(target + i,
             _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
  }
  for (; i < count; ++i) {
    std::int32_t sum = kFilterHalf;
    for (std::size_t k = 0; k < rows.size(); ++k) sum += weights[k] * rows[k][i];
    target[i] = static_cast<std::uint8_t>(std::clamp(sum >> kFilterBits, 0, 255));
  }
}

// --- numbers of a tensor -------------------------------------------------------------------------

struct VectorScale {
  __m256 factor;
  __m256 bias;
};

SLUICE_ROWS_INLINE VectorScale broadcast(ByteScale scale) {
  return {_mm256_set1_ps(scale.factor), _mm256_set1_ps(scale.bias)};
}
SLUICE_ROWS_INLINE __m256 scaled(__m256 value, const VectorScale& scale) {
  return _mm256_add_ps(_mm256_mul_ps(value, scale.factor), scale.bias);
}

// Eight pixels, each in a 32-bit number, red lowest. Reads 28 bytes of 24, or 32.
template <int kChannels>
SLUICE_ROWS_INLINE __m256i eight_pixels(const std::uint8_t* pixels) {
  if constexpr (kChannels == 4) return load_32(pixels);
  const __m256i order = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1));
  return _mm256_shuffle_epi8(join(load_16(pixels), load_16(pixels + 12)), order);
}

SLUICE_ROWS_INLINE __m256 channel_of(__m256i pixels, int channel) {
  const __m256i bytes = _mm256_and_si256(_mm256_srl_epi32(pixels, _mm_cvtsi32_si128(8 * channel)),
                                         _mm256_set1_epi32(255));
  return _mm256_cvtepi32_ps(bytes);
}

// Each of these gives how many pixels it has done.
template <int kChannels>
SLUICE_ROWS int fill_planes(const std::uint8_t* pixels, int count, const RowTarget& target) {
  const VectorScale scales[] = {broadcast(target.scales[0]), broadcast(target.scales[1]),
                                broadcast(target.scales[2])};
  int x = 0;
  for (; kChannels * x + 32 <= kChannels * count; x += 8) {
    const __m256i eight = eight_pixels<kChannels>(pixels + kChannels * x);
    for (std::size_t plane = 0; plane < 3; ++plane) {
      _mm256_storeu_ps(target.to[plane] + x,
                       scaled(channel_of(eight, target.from[plane]), scales[plane]));
    }
  }
  return x;
}

template <int kChannels>
SLUICE_ROWS int fill_grey(const std::uint8_t* pixels, int count, const RowTarget& target) {
  const VectorScale scale = broadcast(target.scales[0]);
  int x = 0;
  for (; kChannels * x + 32 <= kChannels * count; x += 8) {
    const __m256i eight = eight_pixels<kChannels>(pixels + kChannels * x);
    const __m256 red = _mm256_mul_ps(channel_of(eight, 0), _mm256_set1_ps(0.299F));
    const __m256 green = _mm256_mul_ps(channel_of(eight, 1), _mm256_set1_ps(0.587F));
    const __m256 blue = _mm256_mul_ps(channel_of(eight, 2), _mm256_set1_ps(0.114F));
    _mm256_storeu_ps(target.to[0] + x,
                     scaled(_mm256_add_ps(_mm256_add_ps(red, green), blue), scale));
  }
  return x;
}

// Four pixels at a time, whose twelve numbers lie side by side.
template <int kChannels>
SLUICE_ROWS int fill_interleaved(const std::uint8_t* pixels, int count, const RowTarget& target) {
  alignas(32) float factors[16];
  alignas(32) float biases[16];
  alignas(16) std::int8_t order[16];
  for (std::size_t i = 0; i < 16; ++i) {
    factors[i] = target.scales[i % 3].factor;
    biases[i] = target.scales[i % 3].bias;
    const auto pixel = static_cast<int>(i / 3);
    order[i] = static_cast<std::int8_t>(i < 12 ? kChannels * pixel + target.from[i % 3] : -1);
  }
  const __m128i in_order = load_16(order);
  const VectorScale first{_mm256_load_ps(factors), _mm256_load_ps(biases)};
  const __m128 last_factor = _mm_load_ps(factors + 8);
  const __m128 last_bias = _mm_load_ps(biases + 8);
  int x = 0;
  for (; kChannels * x + 16 <= kChannels * count; x += 4) {
    const __m128i bytes = _mm_shuffle_epi8(load_16(pixels + kChannels * x), in_order);
    float* const to = target.to[0] + 3 * x;
    _mm256_storeu_ps(to, scaled(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)), first));
    const __m128 last = _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_srli_si128(bytes, 8)));
    _mm_storeu_ps(to + 8, _mm_add_ps(_mm_mul_ps(last, last_factor), last_bias));
  }
  return x;
}

template <int kChannels>
int normalize_whole(const std::uint8_t* pixels, int count, const RowTarget& target) {
  if (target.mixes_grey) return fill_grey<kChannels>(pixels, count, target);
  if (target.planes != 3) return 0;
  if (target.step == 1) return fill_planes<kChannels>(pixels, count, target);
  return fill_interleaved<kChannels>(pixels, count, target);
}

void normalize(const std::uint8_t* pixels, int channels, int count, const RowTarget& target) {
  const int done = channels == 3   ? normalize_whole<3>(pixels, count, target)
                   : channels == 4 ? normalize_whole<4>(pixels, count, target)
                                   : 0;
  RowTarget rest = target;
  for (std::size_t plane = 0; plane < static_cast<std::size_t>(target.planes); ++plane)
    rest.to[plane] += done * target.step;
  portable().normalize(pixels + done * channels, channels, count - done, rest);
}

// --- colours of a JPEG ---------------------------------------------------------------------------

// Three times what is nearest and once what is next, in one direction; the rounding is in turns.
template <ChromaSize kSize>
struct Triangle {
  static constexpr bool kBoth = kSize == ChromaSize::kHalfBoth;
  static constexpr int kEven = kBoth ? 8 : 1;
  static constexpr int kOdd = kBoth ? 7 : 2;
  static constexpr int kShift = kBoth ? 4 : 2;

  const std::uint8_t* near;
  const std::uint8_t* far;

  int at(int x) const { return kBoth ? 3 * near[x] + far[x] : int{near[x]}; }
  SLUICE_ROWS_INLINE __m256i sixteen_at(int x) const {
    const __m256i nearest = _mm256_cvtepu8_epi16(load_16(near + x));
    if constexpr (!kBoth) return nearest;
    return _mm256_add_epi16(_mm256_mullo_epi16(nearest, _mm256_set1_epi16(3)),
                            _mm256_cvtepu8_epi16(load_16(far + x)));
  }
};

template <ChromaSize kSize>
SLUICE_ROWS void widen(const Triangle<kSize>& sums, int chroma_width, std::uint8_t* target) {
  using Of = Triangle<kSize>;
  const int last = chroma_width - 1;
  const auto put = [&](int x, int before, int after) {
    target[2 * x] = static_cast<std::uint8_t>((3 * sums.at(x) + before + Of::kEven) >> Of::kShift);
    target[2 * x + 1] =
        static_cast<std::uint8_t>((3 * sums.at(x) + after + Of::kOdd) >> Of::kShift);
  };
  const __m256i three = _mm256_set1_epi16(3);
  for (int x = 1; x < last; x += 16) {
    const __m256i nearest = _mm256_mullo_epi16(sums.sixteen_at(x), three);
    const __m256i before = _mm256_add_epi16(sums.sixteen_at(x - 1), _mm256_set1_epi16(Of::kEven));
    const __m256i after = _mm256_add_epi16(sums.sixteen_at(x + 1), _mm256_set1_epi16(Of::kOdd));
    const __m256i even = _mm256_srli_epi16(_mm256_add_epi16(nearest, before), Of::kShift);
    const __m256i odd = _mm256_srli_epi16(_mm256_add_epi16(nearest, after), Of::kShift);
    store_32(target + 2 * x, _mm256_or_si256(even, _mm256_slli_epi16(odd, 8)));
  }
  put(0, sums.at(0), sums.at(std::min(1, last)));
  put(last, sums.at(std::max(0, last - 1)), sums.at(last));
}

// x * weight / 65536, rounded, by the upper half of a product of 16 bits.
SLUICE_ROWS_INLINE __m256i times(__m256i x, int weight) {
  const __m256i product = _mm256_mulhi_epi16(_mm256_slli_epi16(x, 1),
                                             _mm256_set1_epi16(static_cast<std::int16_t>(weight)));
  return _mm256_srai_epi16(_mm256_add_epi16(product, _mm256_set1_epi16(1)), 1);
}

SLUICE_ROWS_INLINE __m256i green_of(__m256i blue, __m256i red) {
  // 0.71414 is too much for 16 bits: the whole is taken off, and 0.28586 given back.
  const __m256i weights = _mm256_set1_epi32(static_cast<int>((18734U << 16) | (-22554 & 0xFFFF)));
  const __m256i half = _mm256_set1_epi32(32768);
  const __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi16(blue, red), weights);
  const __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi16(blue, red), weights);
  const __m256i sum = _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(low, half), 16),
                                         _mm256_srai_epi32(_mm256_add_epi32(high, half), 16));
  return _mm256_sub_epi16(sum, red);
}

SLUICE_ROWS void convert(const std::uint8_t* y_row, const std::uint8_t* cb, const std::uint8_t* cr,
                         int width, std::uint8_t* target) {
  const __m256i middle = _mm256_set1_epi16(128);
  const __m256i opaque = _mm256_set1_epi16(255);
  for (int x = 0; x < width; x += 16, target += 64) {
    const __m256i y = _mm256_cvtepu8_epi16(load_16(y_row + x));
    const __m256i blue = _mm256_sub_epi16(_mm256_cvtepu8_epi16(load_16(cb + x)), middle);
    const __m256i red = _mm256_sub_epi16(_mm256_cvtepu8_epi16(load_16(cr + x)), middle);
    const __m256i r = _mm256_add_epi16(y, _mm256_add_epi16(red, times(red, 26345)));
    const __m256i g = _mm256_add_epi16(y, green_of(blue, red));
    const __m256i b =
        _mm256_add_epi16(y, _mm256_add_epi16(_mm256_slli_epi16(blue, 1), times(blue, -14942)));
    const __m256i rb = _mm256_packus_epi16(r, b);
    const __m256i ga = _mm256_packus_epi16(g, opaque);
    const __m256i rg = _mm256_unpacklo_epi8(rb, ga);
    const __m256i ba = _mm256_unpackhi_epi8(rb, ga);
    const __m256i even_fours = _mm256_unpacklo_epi16(rg, ba);
    const __m256i odd_fours = _mm256_unpackhi_epi16(rg, ba);
    store_32(target, _mm256_permute2x128_si256(even_fours, odd_fours, 0x20));
    store_32(target + 32, _mm256_permute2x128_si256(even_fours, odd_fours, 0x31));
  }
}

template <ChromaSize kSize>
void convert_widened(const YccRow& row, std::uint8_t* scratch, std::uint8_t* target) {
  std::uint8_t* const cr = scratch + row.width + kYccSlackBytes;
  widen(Triangle<kSize>{row.cb[0], row.cb[1]}, row.chroma_width, scratch);
  widen(Triangle<kSize>{row.cr[0], row.cr[1]}, row.chroma_width, cr);
  convert(row.y, scratch, cr, row.width, target);
}

void ycc_to_rgbx(const YccRow& row, std::uint8_t* scratch, std::uint8_t* target) {
  if (row.size == ChromaSize::kFull)
    convert(row.y, row.cb[0], row.cr[0], row.width, target);
  else if (row.size == ChromaSize::kHalfWidth)
    convert_widened<ChromaSize::kHalfWidth>(row, scratch, target);
  else
    convert_widened<ChromaSize::kHalfBoth>(row, scratch, target);
}

}  // namespace

const RowKernels kAvx2RowKernels{blend_columns, blend_rows, filter_columns,
                                 filter_rows,   normalize,  ycc_to_rgbx};

}  // namespace sluice

#endif
