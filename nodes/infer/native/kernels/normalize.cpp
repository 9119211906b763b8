#include "sluice/nodes/infer/native/kernels/normalize.h"

#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/kernels/vector_math.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::kernels {
namespace {

struct Moments {
  double mean = 0.0, variance = 0.0;
};

// Two passes, with eight partial sums each so that rounding errors stay small and vectors possible.
Moments moments(std::int64_t n, const float* values) {
  constexpr std::int64_t kLanes = 8;
  double sums[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += values[i + lane];
  }
  double total = 0.0;
  for (; i < n; ++i) total += values[i];
  for (double& sum : sums) {
    total += sum;
    sum = 0.0;
  }
  Moments result;
  result.mean = total / static_cast<double>(n);

  for (i = 0; i + kLanes <= n; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const double centred = values[i + lane] - result.mean;
      sums[lane] += centred * centred;
    }
  }
  total = 0.0;
  for (; i < n; ++i) total += (values[i] - result.mean) * (values[i] - result.mean);
  for (double sum : sums) total += sum;
  result.variance = total / static_cast<double>(n);
  return result;
}

void scale_shift(std::int64_t n, float scale, float shift, const float* input, float* output) {
  for (std::int64_t i = 0; i < n; ++i) output[i] = input[i] * scale + shift;
}

}  // namespace

void batch_norm(const BatchNormParams& p, const float* input, float* output) {
  for (std::int64_t plane = 0; plane < p.batch * p.channels; ++plane) {
    const std::int64_t c = plane % p.channels;
    const double scale = p.scale[c] / std::sqrt(static_cast<double>(p.variance[c]) + p.epsilon);
    const double shift = p.shift[c] - p.mean[c] * scale;
    scale_shift(p.area, static_cast<float>(scale), static_cast<float>(shift),
                input + plane * p.area, output + plane * p.area);
  }
}

void instance_norm(const InstanceNormParams& p, const float* input, float* output) {
  for (std::int64_t plane = 0; plane < p.batch * p.channels; ++plane) {
    const std::int64_t c = plane % p.channels;
    const Moments m = moments(p.area, input + plane * p.area);
    const double scale = p.scale[c] / std::sqrt(m.variance + p.epsilon);
    scale_shift(p.area, static_cast<float>(scale), static_cast<float>(p.shift[c] - m.mean * scale),
                input + plane * p.area, output + plane * p.area);
  }
}

void layer_norm(const LayerNormParams& p, const float* input, float* output) {
  for (std::int64_t row = 0; row < p.rows; ++row, input += p.size, output += p.size) {
    const Moments m = moments(p.size, input);
    const auto factor = static_cast<float>(1.0 / std::sqrt(m.variance + p.epsilon));
    const auto mean = static_cast<float>(m.mean);
    if (p.scale != nullptr && p.shift != nullptr) {
      for (std::int64_t i = 0; i < p.size; ++i)
        output[i] = (input[i] - mean) * factor * p.scale[i] + p.shift[i];
      continue;
    }
    for (std::int64_t i = 0; i < p.size; ++i) {
      const float scale = p.scale != nullptr ? p.scale[i] : 1.0f;
      const float shift = p.shift != nullptr ? p.shift[i] : 0.0f;
      output[i] = (input[i] - mean) * factor * scale + shift;
    }
  }
}

void lrn(const LrnParams& p, const float* input, float* output) {
  // Channels c - (size - 1) / 2 .. c + size / 2, as ONNX defines the region for even sizes too.
  const std::int64_t before = (p.size - 1) / 2, after = p.size / 2;
  const float factor = p.alpha / static_cast<float>(p.size);
  for (std::int64_t n = 0; n < p.batch; ++n) {
    const float* image = input + n * p.channels * p.area;
    float* to = output + n * p.channels * p.area;
    for (std::int64_t c = 0; c < p.channels; ++c) {
      float* row = to + c * p.area;
      std::fill_n(row, p.area, 0.0f);
      const std::int64_t end = std::min(p.channels, c + after + 1);
      for (std::int64_t other = std::max<std::int64_t>(0, c - before); other < end; ++other) {
        const float* values = image + other * p.area;
        for (std::int64_t i = 0; i < p.area; ++i) row[i] += values[i] * values[i];
      }
      const float* own = image + c * p.area;
      if (p.beta == 0.75f) {  // x^-0.75 = 1 / sqrt(x sqrt(x)): what every trained model uses
        for (std::int64_t i = 0; i < p.area; ++i) {
          const float base = p.bias + factor * row[i];
          row[i] = own[i] / std::sqrt(base * std::sqrt(base));
        }
      } else {
        for (std::int64_t i = 0; i < p.area; ++i)
          row[i] = own[i] * std::pow(p.bias + factor * row[i], -p.beta);
      }
    }
  }
}

namespace {

float maximum(std::int64_t n, const float* values) {
  constexpr std::int64_t kLanes = 16;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -std::numeric_limits<float>::infinity());
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
    }
  }
  float best = *std::max_element(lanes, lanes + kLanes);
  for (; i < n; ++i) best = values[i] > best ? values[i] : best;
  return best;
}

#if SLUICE_HAVE_AVX2
// output[i] = exp(input[i] - shift); returns their sum.
SLUICE_AVX2 double exponentials_avx2(std::int64_t n, float shift, const float* input,
                                     float* output) {
  const __m256 down = _mm256_set1_ps(shift);
  double total = 0.0;
  for (std::int64_t i = 0; i < n;) {
    // Partial sums in fp32 are kept short, so that the total over many thousand classes stays exact
    // to 1e-7.
    __m256 sum = _mm256_setzero_ps();
    const std::int64_t end = std::min(n, i + 1024);
    for (; i + 8 <= end; i += 8) {
      const __m256 e = avx2::exp(_mm256_sub_ps(_mm256_loadu_ps(input + i), down));
      _mm256_storeu_ps(output + i, e);
      sum = _mm256_add_ps(sum, e);
    }
    if (i < end) {
      const __m256i mask = avx2::lane_mask(static_cast<int>(end - i));
      __m256 e = avx2::exp(_mm256_sub_ps(_mm256_maskload_ps(input + i, mask), down));
      e = _mm256_and_ps(e, _mm256_castsi256_ps(mask));
      _mm256_maskstore_ps(output + i, mask, e);
      sum = _mm256_add_ps(sum, e);
      i = end;
    }
    alignas(32) float lanes[8];
    _mm256_store_ps(lanes, sum);
    for (float lane : lanes) total += lane;
  }
  return total;
}
#endif

double exponentials(std::int64_t n, float shift, const float* input, float* output) {
#if SLUICE_HAVE_AVX2
  if (isa() >= Isa::kAvx2) return exponentials_avx2(n, shift, input, output);
#endif
  double total = 0.0;
  for (std::int64_t i = 0; i < n; ++i) {
    output[i] = std::exp(input[i] - shift);
    total += output[i];
  }
  return total;
}

void softmax_row(std::int64_t n, const float* input, float* output) {
  const double total = exponentials(n, maximum(n, input), input, output);
  const auto factor = static_cast<float>(1.0 / total);
  for (std::int64_t i = 0; i < n; ++i) output[i] *= factor;
}

void log_softmax_row(std::int64_t n, const float* input, float* output) {
  const float top = maximum(n, input);
  double total = 0.0;
  for (std::int64_t i = 0; i < n; ++i) total += std::exp(input[i] - top);
  const auto log_total = static_cast<float>(std::log(total));
  for (std::int64_t i = 0; i < n; ++i) output[i] = input[i] - top - log_total;
}

// One column of [axis, inner], for axes that are not the last.
void softmax_column(std::int64_t axis, std::int64_t inner, const float* input, float* output) {
  float top = -std::numeric_limits<float>::infinity();
  for (std::int64_t i = 0; i < axis; ++i) top = std::max(top, input[i * inner]);
  double total = 0.0;
  for (std::int64_t i = 0; i < axis; ++i) {
    output[i * inner] = std::exp(input[i * inner] - top);
    total += output[i * inner];
  }
  const auto factor = static_cast<float>(1.0 / total);
  for (std::int64_t i = 0; i < axis; ++i) output[i * inner] *= factor;
}

void log_softmax_column(std::int64_t axis, std::int64_t inner, const float* input, float* output) {
  float top = -std::numeric_limits<float>::infinity();
  for (std::int64_t i = 0; i < axis; ++i) top = std::max(top, input[i * inner]);
  double total = 0.0;
  for (std::int64_t i = 0; i < axis; ++i) total += std::exp(input[i * inner] - top);
  const auto log_total = static_cast<float>(std::log(total));
  for (std::int64_t i = 0; i < axis; ++i) output[i * inner] = input[i * inner] - top - log_total;
}

}  // namespace

void softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const float* input,
             float* output) {
  for (std::int64_t o = 0; o < outer; ++o, input += axis * inner, output += axis * inner) {
    if (inner == 1) {
      softmax_row(axis, input, output);
    } else {
      for (std::int64_t i = 0; i < inner; ++i) softmax_column(axis, inner, input + i, output + i);
    }
  }
}

void log_softmax(std::int64_t outer, std::int64_t axis, std::int64_t inner, const float* input,
                 float* output) {
  for (std::int64_t o = 0; o < outer; ++o, input += axis * inner, output += axis * inner) {
    if (inner == 1) {
      log_softmax_row(axis, input, output);
    } else {
      for (std::int64_t i = 0; i < inner; ++i)
        log_softmax_column(axis, inner, input + i, output + i);
    }
  }
}

}  // namespace sluice::kernels
