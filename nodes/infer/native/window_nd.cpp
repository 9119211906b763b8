#include "sluice/nodes/infer/native/window_nd.h"

#include <algorithm>
#include <array>
#include <limits>

namespace sluice::native {
namespace {

using graph::WindowAxis;
using Axes = std::span<const WindowAxis>;
using Position = std::array<std::int64_t, Shape::kMaxRank>;

std::int64_t product(Axes axes, std::int64_t WindowAxis::*extent) {
  std::int64_t count = 1;
  for (const WindowAxis& axis : axes) count *= axis.*extent;
  return count;
}

Position unravel(std::int64_t index, Axes axes, std::int64_t WindowAxis::*extent) {
  Position position{};
  for (std::size_t i = axes.size(); i-- > 0;) {
    position[i] = index % (axes[i].*extent);
    index /= axes[i].*extent;
  }
  return position;
}

// The flat index of the input pixel under one tap of the window at an output pixel; -1 outside.
std::int64_t tapped(Axes axes, const Position& out, const Position& tap) {
  std::int64_t index = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t at = out[i] * axes[i].stride + tap[i] * axes[i].dilation - axes[i].pad_begin;
    if (at < 0 || at >= axes[i].in) return -1;
    index = index * axes[i].in + at;
  }
  return index;
}

// The same for a transposed convolution: the output pixel that an input pixel adds to.
std::int64_t scattered(Axes axes, const Position& in, const Position& tap) {
  std::int64_t index = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t at = in[i] * axes[i].stride + tap[i] * axes[i].dilation - axes[i].pad_begin;
    if (at < 0 || at >= axes[i].out) return -1;
    index = index * axes[i].out + at;
  }
  return index;
}

bool is_in_padded(Axes axes, const Position& out, const Position& tap) {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t at = out[i] * axes[i].stride + tap[i] * axes[i].dilation - axes[i].pad_begin;
    if (at >= axes[i].in + axes[i].pad_end) return false;
  }
  return true;
}

}  // namespace

void conv_nd(const ConvShape& shape, const float* input, const float* weights, const float* bias,
             float* output) {
  const Axes axes = shape.axes;
  const std::int64_t in_area = product(axes, &WindowAxis::in);
  const std::int64_t out_area = product(axes, &WindowAxis::out);
  const std::int64_t taps = product(axes, &WindowAxis::kernel);
  const std::int64_t in_group = shape.in_channels / shape.groups;
  const std::int64_t out_group = shape.out_channels / shape.groups;
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t m = 0; m < shape.out_channels; ++m) {
      float* plane = output + (n * shape.out_channels + m) * out_area;
      std::fill_n(plane, out_area, bias == nullptr ? 0.0f : bias[m]);
      for (std::int64_t c = 0; c < in_group; ++c) {
        const std::int64_t channel = m / out_group * in_group + c;
        const float* source = input + (n * shape.in_channels + channel) * in_area;
        const float* filter = weights + (m * in_group + c) * taps;
        for (std::int64_t t = 0; t < taps; ++t) {
          const Position tap = unravel(t, axes, &WindowAxis::kernel);
          for (std::int64_t p = 0; p < out_area; ++p) {
            const std::int64_t at = tapped(axes, unravel(p, axes, &WindowAxis::out), tap);
            if (at >= 0) plane[p] += source[at] * filter[t];
          }
        }
      }
    }
  }
}

void conv_transpose_nd(const ConvShape& shape, const float* input, const float* weights,
                       const float* bias, float* output) {
  const Axes axes = shape.axes;
  const std::int64_t in_area = product(axes, &WindowAxis::in);
  const std::int64_t out_area = product(axes, &WindowAxis::out);
  const std::int64_t taps = product(axes, &WindowAxis::kernel);
  const std::int64_t in_group = shape.in_channels / shape.groups;
  const std::int64_t out_group = shape.out_channels / shape.groups;
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t m = 0; m < shape.out_channels; ++m) {
      float* plane = output + (n * shape.out_channels + m) * out_area;
      std::fill_n(plane, out_area, bias == nullptr ? 0.0f : bias[m]);
      for (std::int64_t c = 0; c < in_group; ++c) {
        const std::int64_t channel = m / out_group * in_group + c;
        const float* source = input + (n * shape.in_channels + channel) * in_area;
        const float* filter = weights + (channel * out_group + m % out_group) * taps;
        for (std::int64_t t = 0; t < taps; ++t) {
          const Position tap = unravel(t, axes, &WindowAxis::kernel);
          for (std::int64_t p = 0; p < in_area; ++p) {
            const std::int64_t at = scattered(axes, unravel(p, axes, &WindowAxis::in), tap);
            if (at >= 0) plane[at] += source[p] * filter[t];
          }
        }
      }
    }
  }
}

void max_pool_nd(std::int64_t planes, Axes axes, const float* input, float* output,
                 std::int64_t* indices) {
  const std::int64_t in_area = product(axes, &WindowAxis::in);
  const std::int64_t out_area = product(axes, &WindowAxis::out);
  const std::int64_t taps = product(axes, &WindowAxis::kernel);
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    for (std::int64_t p = 0; p < out_area; ++p) {
      const Position out = unravel(p, axes, &WindowAxis::out);
      float best = -std::numeric_limits<float>::infinity();
      std::int64_t best_at = 0;
      for (std::int64_t t = 0; t < taps; ++t) {
        const std::int64_t at = tapped(axes, out, unravel(t, axes, &WindowAxis::kernel));
        if (at < 0 || !(input[plane * in_area + at] > best)) continue;
        best = input[plane * in_area + at];
        best_at = at;
      }
      output[plane * out_area + p] = best;
      if (indices != nullptr) indices[plane * out_area + p] = plane * in_area + best_at;
    }
  }
}

void average_pool_nd(std::int64_t planes, Axes axes, AverageOver divisor, const float* input,
                     float* output) {
  const std::int64_t in_area = product(axes, &WindowAxis::in);
  const std::int64_t out_area = product(axes, &WindowAxis::out);
  const std::int64_t taps = product(axes, &WindowAxis::kernel);
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    for (std::int64_t p = 0; p < out_area; ++p) {
      const Position out = unravel(p, axes, &WindowAxis::out);
      float sum = 0.0f;
      std::int64_t count = 0;
      for (std::int64_t t = 0; t < taps; ++t) {
        const Position tap = unravel(t, axes, &WindowAxis::kernel);
        const std::int64_t at = tapped(axes, out, tap);
        if (at >= 0) sum += input[plane * in_area + at];
        const bool counts = divisor == AverageOver::kInput ? at >= 0 : is_in_padded(axes, out, tap);
        count += counts ? 1 : 0;
      }
      output[plane * out_area + p] = count == 0 ? 0.0f : sum / static_cast<float>(count);
    }
  }
}

}  // namespace sluice::native
