#include "sluice/nodes/infer/native/kernels/simd/tile.h"

#include <algorithm>

namespace sluice::kernels::SLUICE_SIMD {

SLUICE_TARGET void scale(const ScaledPixels& pixels) {
  const Range range = range_of(pixels.activation);
  const Vec low = all(range.low), high = all(range.high);
  const float* from = pixels.input;
  float* to = pixels.output;
  for (std::int64_t i = 0; i < pixels.count; ++i) {
    for (std::int64_t c = 0; c < pixels.channels; c += kLanes) {
      const Mask mask = row_lanes(pixels.channels - c, 0);
      const Vec factor = load(pixels.scale + c, mask), shift = load(pixels.shift + c, mask);
      store(to + c, mask, clamp(fma(load(from + c, mask), factor, shift), low, high));
    }
    if (!range.is_clamp) activate(pixels.activation, pixels.channels, to);
    from += pixels.input_step;
    to += pixels.channels;
  }
}

SLUICE_TARGET void lrn(const LrnPixels& pixels) {
  float* squares = pixels.squares + pixels.before;
  std::fill_n(pixels.squares, pixels.before + pixels.channels + pixels.after + kLanes, 0.0f);
  const Vec bias = all(pixels.bias), factor = all(pixels.factor);
  const float* from = pixels.input;
  float* to = pixels.output;
  for (std::int64_t i = 0; i < pixels.count; ++i) {
    for (std::int64_t c = 0; c < pixels.channels; c += kLanes) {
      const Mask mask = row_lanes(pixels.channels - c, 0);
      const Vec x = load(from + c, mask);
      store(squares + c, mask, mul(x, x));
    }
    for (std::int64_t c = 0; c < pixels.channels; c += kLanes) {
      const Mask mask = row_lanes(pixels.channels - c, 0);
      Vec total = zero();
      for (std::int64_t o = -pixels.before; o <= pixels.after; ++o) {
        total = add(total, load(squares + c + o));
      }
      // x^0.75 as sqrt(x sqrt(x)).
      const Vec base = fma(factor, total, bias);
      store(to + c, mask, div(load(from + c, mask), sqrt(mul(base, sqrt(base)))));
    }
    from += pixels.channels;
    to += pixels.channels;
  }
}

}  // namespace sluice::kernels::SLUICE_SIMD
