#include "sluice/nodes/infer/native/kernels/resize.h"

#include "sluice/nodes/infer/native/kernels/aligned.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>

namespace sluice::kernels {
namespace {

constexpr int kMaxTaps = 4;

// What one output index of an axis is made of. Weights add up to 1; unused taps have weight 0.
struct Sample {
  std::int32_t index[kMaxTaps];
  float weight[kMaxTaps];
  bool outside;  // kTfCropAndResize: beyond the input, so the extrapolation value
};

int taps_of(ResizeMode mode) {
  return mode == ResizeMode::kNearest ? 1 : (mode == ResizeMode::kLinear ? 2 : 4);
}

// fp32 throughout, as in the implementations that models were tested with: whether a coordinate
// such as 10 / 3.3333333 falls below 3 decides which pixel is nearest.
float coordinate(const ResizeParams& p, std::size_t axis, std::int64_t i) {
  const auto in = static_cast<float>(p.dims[axis]), out = static_cast<float>(p.out_dims[axis]);
  const float scale = p.scales[axis], x = static_cast<float>(i);
  switch (p.coordinates) {
    case ResizeCoordinates::kHalfPixel:
      return (x + 0.5f) / scale - 0.5f;
    case ResizeCoordinates::kHalfPixelSymmetric: {
      const float adjustment = out / (in * scale);
      return in / 2.0f * (1.0f - adjustment) + (x + 0.5f) / scale - 0.5f;
    }
    case ResizeCoordinates::kPytorchHalfPixel:
      return out > 1.0f ? (x + 0.5f) / scale - 0.5f : 0.0f;
    case ResizeCoordinates::kAlignCorners: {
      // The standard's own cases take the length before it was rounded down to whole pixels.
      const float whole = in * scale;
      const float length = std::abs(whole - out) < 1e-3f ? out : whole;
      return out > 1.0f ? x * (in - 1.0f) / (length - 1.0f) : 0.0f;
    }
    case ResizeCoordinates::kAsymmetric:
      return x / scale;
    case ResizeCoordinates::kTfHalfPixelForNearest:
      return (x + 0.5f) / scale;
    case ResizeCoordinates::kTfCropAndResize:
      break;
  }
  const float start = p.roi[axis], end = p.roi[p.dims.size() + axis];
  if (out <= 1.0f) return 0.5f * (start + end) * (in - 1.0f);
  return start * (in - 1.0f) + x * (end - start) * (in - 1.0f) / (out - 1.0f);
}

std::int64_t round(ResizeRounding rounding, float x) {
  switch (rounding) {
    case ResizeRounding::kRoundPreferFloor:
      return static_cast<std::int64_t>(std::ceil(x - 0.5f));
    case ResizeRounding::kRoundPreferCeil:
      return static_cast<std::int64_t>(std::floor(x + 0.5f));
    case ResizeRounding::kFloor:
      return static_cast<std::int64_t>(std::floor(x));
    case ResizeRounding::kCeil:
      return static_cast<std::int64_t>(std::ceil(x));
  }
  return 0;
}

// Cubic convolution (Keys 1981) at distance t = 1 + f, f, 1 - f, 2 - f from the four neighbours.
std::array<float, kMaxTaps> cubic_weights(float f, float a) {
  const float g = 1.0f - f;
  const auto near = [a](float t) { return ((a + 2.0f) * t - (a + 3.0f)) * t * t + 1.0f; };
  const auto far = [a](float t) { return ((a * t - 5.0f * a) * t + 8.0f * a) * t - 4.0f * a; };
  return {far(f + 1.0f), near(f), near(g), far(g + 1.0f)};
}

Sample sample(const ResizeParams& p, std::size_t axis, std::int64_t i) {
  const std::int64_t extent = p.dims[axis];
  const float x = coordinate(p, axis, i);
  Sample s{};
  s.outside = p.coordinates == ResizeCoordinates::kTfCropAndResize &&
              (x < 0.0f || x > static_cast<float>(extent - 1));
  const auto floor = static_cast<std::int64_t>(std::floor(x));
  const float fraction = x - static_cast<float>(floor);
  std::array<float, kMaxTaps> weights{1.0f};
  std::int64_t first = floor;
  if (p.mode == ResizeMode::kNearest) {
    first = std::clamp<std::int64_t>(round(p.rounding, x), 0, extent - 1);
  } else if (p.mode == ResizeMode::kLinear) {
    weights = {1.0f - fraction, fraction};
  } else {
    weights = cubic_weights(fraction, p.cubic_a);
    first = floor - 1;
  }
  float total = 0.0f;
  for (int t = 0; t < taps_of(p.mode); ++t) {
    const std::int64_t at = first + t;
    s.index[t] = static_cast<std::int32_t>(std::clamp<std::int64_t>(at, 0, extent - 1));
    s.weight[t] =
        p.exclude_outside && (at < 0 || at >= extent) ? 0.0f : weights[static_cast<std::size_t>(t)];
    total += s.weight[t];
  }
  if (p.exclude_outside) {
    for (float& weight : s.weight) weight /= total;
  }
  return s;
}

bool changes(const ResizeParams& p, std::size_t axis) {
  return p.dims[axis] != p.out_dims[axis] || p.coordinates == ResizeCoordinates::kTfCropAndResize ||
         p.scales[axis] != 1.0f;
}

// [outer, extent, inner] -> [outer, out_extent, inner].
struct Pass {
  std::int64_t outer = 1, extent = 1, out_extent = 1, inner = 1;
};

void resample_rows(const Pass& pass, int taps, const Sample* samples, const float* input,
                   float* output) {
  for (std::int64_t o = 0; o < pass.outer; ++o, input += pass.extent * pass.inner) {
    for (std::int64_t i = 0; i < pass.out_extent; ++i, output += pass.inner) {
      const Sample& s = samples[i];
      const float* r0 = input + s.index[0] * pass.inner;
      if (taps == 1 || s.weight[0] == 1.0f) {
        std::copy_n(r0, pass.inner, output);
        continue;
      }
      const float* r1 = input + s.index[1] * pass.inner;
      if (taps == 2) {
        for (std::int64_t x = 0; x < pass.inner; ++x)
          output[x] = s.weight[0] * r0[x] + s.weight[1] * r1[x];
        continue;
      }
      const float* r2 = input + s.index[2] * pass.inner;
      const float* r3 = input + s.index[3] * pass.inner;
      for (std::int64_t x = 0; x < pass.inner; ++x) {
        output[x] =
            s.weight[0] * r0[x] + s.weight[1] * r1[x] + s.weight[2] * r2[x] + s.weight[3] * r3[x];
      }
    }
  }
}

void resample_last(const Pass& pass, int taps, const Sample* samples, const float* input,
                   float* output) {
  for (std::int64_t o = 0; o < pass.outer; ++o, input += pass.extent, output += pass.out_extent) {
    for (std::int64_t i = 0; i < pass.out_extent; ++i) {
      const Sample& s = samples[i];
      float value = s.weight[0] * input[s.index[0]];
      for (int t = 1; t < taps; ++t) value += s.weight[t] * input[s.index[t]];
      output[i] = value;
    }
  }
}

// A whole factor of the last two axes by repeating pixels, as every detector's neck does: rows are
// built once and copied.
bool repeats_pixels(const ResizeParams& p, std::int64_t factor) {
  const std::size_t rank = p.dims.size();
  if (p.mode != ResizeMode::kNearest || rank < 2) return false;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (p.dims[axis] == 0) return false;
    const std::int64_t expected = p.dims[axis] * (axis + 2 >= rank ? factor : 1);
    if (p.out_dims[axis] != expected) return false;
    if (p.scales[axis] != static_cast<float>(expected / p.dims[axis])) return false;
  }
  if (p.coordinates == ResizeCoordinates::kAsymmetric) return p.rounding == ResizeRounding::kFloor;
  const bool half = p.coordinates == ResizeCoordinates::kHalfPixel ||
                    p.coordinates == ResizeCoordinates::kPytorchHalfPixel;
  // (i + 1/2) / 2 - 1/2 is 1/4 below or above a pixel: any rounding to the nearest finds it.
  return half && factor == 2 && p.out_dims.back() > 1 && p.out_dims[rank - 2] > 1 &&
         (p.rounding == ResizeRounding::kRoundPreferFloor ||
          p.rounding == ResizeRounding::kRoundPreferCeil);
}

void repeat_pixels(const ResizeParams& p, std::int64_t factor, const float* input, float* output) {
  const std::int64_t width = p.dims.back(), out_width = width * factor;
  const std::int64_t rows = element_count(p.dims) / width;
  for (std::int64_t row = 0; row < rows; ++row, input += width) {
    if (factor == 2) {
      for (std::int64_t x = 0; x < width; ++x) output[2 * x] = output[2 * x + 1] = input[x];
    } else {
      for (std::int64_t x = 0; x < width; ++x) std::fill_n(output + x * factor, factor, input[x]);
    }
    for (std::int64_t copy = 1; copy < factor; ++copy)
      std::copy_n(output, out_width, output + copy * out_width);
    output += factor * out_width;
  }
}

std::int64_t fast_factor(const ResizeParams& p) {
  if (p.dims.empty() || p.dims.back() == 0) return 0;
  const std::int64_t factor = p.out_dims.back() / p.dims.back();
  return factor >= 1 && repeats_pixels(p, factor) ? factor : 0;
}

std::int64_t longest_axis(const ResizeParams& p) {
  std::int64_t longest = 0;
  for (std::size_t axis = 0; axis < p.dims.size(); ++axis)
    longest = std::max(longest, p.out_dims[axis]);
  return longest;
}

// Elements after the passes over axes 0..axis, the largest such intermediate.
std::int64_t largest_intermediate(const ResizeParams& p) {
  std::int64_t size = element_count(p.dims), largest = 0;
  for (std::size_t axis = 0; axis < p.dims.size(); ++axis) {
    if (p.dims[axis] == 0) return 0;
    size = size / p.dims[axis] * p.out_dims[axis];
    largest = std::max(largest, size);
  }
  return largest;
}

// kTfCropAndResize: every output beyond the input along some axis.
void extrapolate(const ResizeParams& p, std::size_t axis, const Sample* samples, float* output) {
  const std::int64_t inner = element_count(p.out_dims.subspan(axis + 1));
  const std::int64_t outer = element_count(p.out_dims.first(axis));
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < p.out_dims[axis]; ++i) {
      if (samples[i].outside)
        std::fill_n(output + (o * p.out_dims[axis] + i) * inner, inner, p.extrapolation);
    }
  }
}

}  // namespace

AxisTaps axis_taps(const ResizeParams& params, std::size_t axis) {
  AxisTaps taps;
  if (!changes(params, axis)) return taps;
  taps.count = taps_of(params.mode);
  for (std::int64_t i = 0; i < params.out_dims[axis]; ++i) {
    const Sample one = sample(params, axis, i);
    for (int t = 0; t < taps.count; ++t) {
      taps.places.push_back(one.outside ? -1 : one.index[t]);
      taps.weights.push_back(one.outside ? (t == 0 ? 1.0f : 0.0f) : one.weight[t]);
    }
  }
  return taps;
}

std::size_t resize_scratch_bytes(const ResizeParams& p) {
  if (fast_factor(p) > 0) return 0;
  const std::size_t samples = align_up(static_cast<std::size_t>(longest_axis(p)) * sizeof(Sample));
  return samples + 2 * align_up(static_cast<std::size_t>(largest_intermediate(p)) * sizeof(float));
}

void resize(const ResizeParams& p, const float* input, float* output, std::byte* scratch) {
  assert(p.dims.size() == p.out_dims.size() && p.scales.size() == p.dims.size());
  if (element_count(p.out_dims) == 0) return;
  if (const std::int64_t factor = fast_factor(p); factor > 0)
    return repeat_pixels(p, factor, input, output);

  auto* samples = reinterpret_cast<Sample*>(scratch);
  scratch += align_up(static_cast<std::size_t>(longest_axis(p)) * sizeof(Sample));
  const std::size_t size =
      align_up(static_cast<std::size_t>(largest_intermediate(p)) * sizeof(float));
  float* buffers[2] = {reinterpret_cast<float*>(scratch), reinterpret_cast<float*>(scratch + size)};

  std::size_t last = p.dims.size();
  for (std::size_t axis = 0; axis < p.dims.size(); ++axis) {
    if (changes(p, axis)) last = axis;
  }
  if (last == p.dims.size()) {
    std::copy_n(input, element_count(p.dims), output);
    return;
  }
  const float* from = input;
  int next = 0;
  for (std::size_t axis = 0; axis <= last; ++axis) {
    if (!changes(p, axis)) continue;
    for (std::int64_t i = 0; i < p.out_dims[axis]; ++i) samples[i] = sample(p, axis, i);
    const Pass pass{element_count(p.out_dims.first(axis)), p.dims[axis], p.out_dims[axis],
                    element_count(p.dims.subspan(axis + 1))};
    float* to = axis == last ? output : buffers[next];
    if (pass.inner == 1) {
      resample_last(pass, taps_of(p.mode), samples, from, to);
    } else {
      resample_rows(pass, taps_of(p.mode), samples, from, to);
    }
    from = to;
    next = 1 - next;
  }
  if (p.coordinates != ResizeCoordinates::kTfCropAndResize) return;
  for (std::size_t axis = 0; axis < p.dims.size(); ++axis) {
    for (std::int64_t i = 0; i < p.out_dims[axis]; ++i) samples[i] = sample(p, axis, i);
    extrapolate(p, axis, samples, output);
  }
}

}  // namespace sluice::kernels
