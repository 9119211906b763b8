#include "sluice/nodes/infer/native/kernels/simd/tile.h"

// The transforms of Winograd's F(4x4, 3x3), a vector of channels at a time.
namespace sluice::kernels::SLUICE_SIMD {
namespace {

// B' of a column or a row of a patch.
SLUICE_INLINE void transform_patch(const Vec (&d)[6], Vec (&out)[6]) {
  const Vec two = all(2.0f), four = all(4.0f), five = all(5.0f);
  const Vec a = fnma(four, d[2], d[4]), b = fnma(four, d[1], d[3]);
  const Vec c = sub(d[4], d[2]), e = mul(two, sub(d[3], d[1]));
  out[0] = fma(four, d[0], fnma(five, d[2], d[4]));
  out[1] = add(a, b);
  out[2] = sub(a, b);
  out[3] = add(c, e);
  out[4] = sub(c, e);
  out[5] = fma(four, d[1], fnma(five, d[3], d[5]));
}

// A' of a column or a row of products.
SLUICE_INLINE void transform_sums(const Vec (&m)[6], Vec (&out)[4]) {
  const Vec a = add(m[1], m[2]), b = sub(m[1], m[2]);
  const Vec c = add(m[3], m[4]), d = sub(m[3], m[4]);
  out[0] = add(m[0], add(a, c));
  out[1] = fma(all(2.0f), d, b);
  out[2] = fma(all(4.0f), c, a);
  out[3] = add(fma(all(8.0f), d, b), m[5]);
}

template <class T>
SLUICE_TARGET void input_vector(const WinogradInput& patch, std::int64_t channel, Mask mask) {
  Vec rows[6][6];  // [column][row], each column transformed
#pragma GCC unroll 6
  for (int x = 0; x < 6; ++x) {
    const std::int64_t column = patch.first_column + x;
    const bool is_inside = column >= 0 && column < patch.width;
    Vec d[6];
#pragma GCC unroll 6
    for (int y = 0; y < 6; ++y) {
      d[y] = is_inside && patch.rows[y] != nullptr
                 ? load(reinterpret_cast<const T*>(patch.rows[y]) + column * patch.step + channel,
                        mask)
                 : zero();
    }
    transform_patch(d, rows[x]);
  }
  float* to = patch.to + channel;
#pragma GCC unroll 6
  for (int y = 0; y < 6; ++y) {
    Vec d[6], out[6];
#pragma GCC unroll 6
    for (int x = 0; x < 6; ++x) d[x] = rows[x][y];
    transform_patch(d, out);
#pragma GCC unroll 6
    for (int x = 0; x < 6; ++x) store(to + (y * 6 + x) * patch.product_step, mask, out[x]);
  }
}

template <class T>
SLUICE_TARGET void output_vector(const WinogradOutput& tile, std::int64_t channel, Mask mask) {
  Vec columns[6][4];  // [column][row]
#pragma GCC unroll 6
  for (int x = 0; x < 6; ++x) {
    Vec m[6];
#pragma GCC unroll 6
    for (int y = 0; y < 6; ++y) {
      m[y] = load(tile.from + (y * 6 + x) * tile.product_step + channel);
    }
    transform_sums(m, columns[x]);
  }
  const Vec bias = load(tile.to.bias + channel);
  TileOutput to = tile.to;
  to.advance(0, channel);
  for (int y = 0; y < tile.rows; ++y) {
    Vec m[6], out[4], sums[4][1];
#pragma GCC unroll 6
    for (int x = 0; x < 6; ++x) m[x] = columns[x][y];
    transform_sums(m, out);
#pragma GCC unroll 4
    for (int x = 0; x < 4; ++x) sums[x][0] = add(out[x], bias);
    if (tile.columns == 4) {
      finish<T, 4, 1>(to, mask, sums);
    } else {
      TileOutput pixel = to;
      for (int x = 0; x < tile.columns; ++x) {
        const Vec one[1][1] = {{sums[x][0]}};
        finish<T, 1, 1>(pixel, mask, one);
        pixel.advance(1, 0);
      }
    }
    to.advance(tile.row_pixels, 0);
  }
}

}  // namespace

SLUICE_TARGET void winograd_input(const WinogradInput& patch) {
  const auto vector =
      patch.precision == Precision::kBf16 ? input_vector<Narrow> : input_vector<float>;
  for (std::int64_t c = 0; c < patch.channels; c += kLanes) {
    vector(patch, c, row_lanes(patch.channels - c, 0));
  }
}

SLUICE_TARGET void winograd_output(const WinogradOutput& tile) {
  const auto vector = tile.to.output.is_bf16() ? output_vector<Narrow> : output_vector<float>;
  for (std::int64_t c = 0; c < tile.channels; c += kLanes) {
    vector(tile, c, row_lanes(tile.channels - c, 0));
  }
}

}  // namespace sluice::kernels::SLUICE_SIMD
