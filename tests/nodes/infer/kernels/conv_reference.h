#pragma once

#include "sluice/nodes/infer/native/kernels/conv.h"

#include "tests/nodes/infer/kernels/values.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

// Convolutions by their definition, and random ones to compare with it.
namespace sluice::kernels::test {

inline double activate(const Activation& f, double x) {
  switch (f.kind) {
    case ActivationKind::kNone:
      return x;
    case ActivationKind::kRelu:
      return std::max(x, 0.0);
    case ActivationKind::kClip:
      return std::clamp<double>(x, f.alpha, f.beta);
    case ActivationKind::kLeakyRelu:
      return x < 0 ? f.alpha * x : x;
    case ActivationKind::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case ActivationKind::kSilu:
      return x / (1 + std::exp(-x));
    case ActivationKind::kHardSigmoid:
      return std::clamp(f.alpha * x + f.beta, 0.0, 1.0);
    case ActivationKind::kHardSwish:
      return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
    case ActivationKind::kGelu:
      return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
    case ActivationKind::kTanh:
      return std::tanh(x);
  }
  return x;
}

struct Case {
  ConvParams params;
  std::int64_t batch = 1, height = 1, width = 1;
  Epilogue epilogue;
  bool bias = true, residual = false;
  bool in_place = false;  // the residual is the output
};

// The definition, one output at a time in double.
inline std::vector<double> reference(const Case& c, const std::vector<float>& input,
                                     const std::vector<float>& weights,
                                     const std::vector<float>& bias,
                                     const std::vector<float>& residual) {
  const ConvParams& p = c.params;
  const std::int64_t out_height = p.out_height(c.height), out_width = p.out_width(c.width);
  const std::int64_t inputs = p.in_channels / p.groups, outputs = p.out_channels / p.groups;
  std::vector<double> result;
  for (std::int64_t n = 0; n < c.batch; ++n) {
    for (std::int64_t m = 0; m < p.out_channels; ++m) {
      for (std::int64_t y = 0; y < out_height; ++y) {
        for (std::int64_t x = 0; x < out_width; ++x) {
          double sum = bias.empty() ? 0.0 : bias[static_cast<std::size_t>(m)];
          for (std::int64_t k = 0; k < inputs * p.kernel_h * p.kernel_w; ++k) {
            const std::int64_t channel = k / (p.kernel_h * p.kernel_w);
            const std::int64_t iy =
                y * p.stride_h - p.pad_top + k / p.kernel_w % p.kernel_h * p.dilation_h;
            const std::int64_t ix = x * p.stride_w - p.pad_left + k % p.kernel_w * p.dilation_w;
            if (iy < 0 || iy >= c.height || ix < 0 || ix >= c.width) continue;
            const std::int64_t at =
                ((n * p.in_channels + m / outputs * inputs + channel) * c.height + iy) * c.width +
                ix;
            sum += static_cast<double>(input[static_cast<std::size_t>(at)]) *
                   weights[static_cast<std::size_t>(m * inputs * p.kernel_h * p.kernel_w + k)];
          }
          sum = activate(c.epilogue.activation, sum);
          if (!residual.empty()) sum = activate(c.epilogue.after, sum + residual[result.size()]);
          result.push_back(sum);
        }
      }
    }
  }
  return result;
}

inline Activation random_activation(std::mt19937& engine) {
  return {static_cast<ActivationKind>(pick(engine, 0, 9)), 0.2f, 0.5f};
}

// A random convolution whose output is not empty.
inline std::optional<Case> random_case(std::mt19937& engine, std::int64_t groups,
                                       std::int64_t inputs, std::int64_t outputs) {
  Case c;
  ConvParams& p = c.params;
  p.groups = groups;
  p.in_channels = groups * inputs;
  p.out_channels = groups * outputs;
  p.kernel_h = pick(engine, 1, 7);
  p.kernel_w = pick(engine, 0, 2) > 0 ? p.kernel_h : pick(engine, 1, 7);
  p.stride_h = pick(engine, 1, 3);
  p.stride_w = pick(engine, 0, 2) > 0 ? p.stride_h : pick(engine, 1, 3);
  p.dilation_h = pick(engine, 0, 3) > 0 ? 1 : pick(engine, 1, 3);
  p.dilation_w = pick(engine, 0, 3) > 0 ? 1 : pick(engine, 1, 3);
  p.pad_top = pick(engine, 0, 3);
  p.pad_left = pick(engine, 0, 3);
  p.pad_bottom = pick(engine, 0, 3);
  p.pad_right = pick(engine, 0, 3);
  c.batch = pick(engine, 1, 2);
  c.height = pick(engine, 1, 30);
  c.width = pick(engine, 1, 90);
  c.epilogue = {random_activation(engine), random_activation(engine)};
  c.bias = pick(engine, 0, 3) > 0;
  c.residual = pick(engine, 0, 1) > 0;
  c.in_place = c.residual && pick(engine, 0, 1) > 0;
  const bool empty = p.dilation_h * (p.kernel_h - 1) >= c.height + p.pad_top + p.pad_bottom ||
                     p.dilation_w * (p.kernel_w - 1) >= c.width + p.pad_left + p.pad_right;
  return empty ? std::nullopt : std::optional<Case>(c);
}

}  // namespace sluice::kernels::test
