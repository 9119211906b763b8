#include "tests/support/cuda/reference.h"

#include <cmath>

namespace sluice::cuda {

std::vector<double> reference_conv(const Case& test) {
  const auto& settings = test.op.as.conv;
  const Extents x = dims_of(test.op.in[0]), w = dims_of(test.op.in[1]), y = dims_of(test.op.out[0]);
  const Extents taps(w.begin() + 2, w.end());
  std::int64_t tap_count = 1;
  for (const std::int64_t extent : taps) tap_count *= extent;
  std::vector<double> result;
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i) {
    const Extents at = indices_of(i, y);
    const std::int64_t group = at[1] / (y[1] / settings.group);
    double sum = settings.has_bias ? test.inputs[2].get(at[1]) : 0;
    for (std::int64_t c = 0; c < w[1]; ++c) {
      for (std::int64_t t = 0; t < tap_count; ++t) {
        const Extents tap = indices_of(t, taps);
        Extents from = {at[0], group * w[1] + c}, factor = {at[1], c};
        bool inside = true;
        for (std::size_t axis = 0; axis < tap.size(); ++axis) {
          from.push_back(at[2 + axis] * settings.window.stride[axis] +
                         tap[axis] * settings.window.dilation[axis] -
                         settings.window.pad_begin[axis]);
          factor.push_back(tap[axis]);
          inside = inside && from.back() >= 0 && from.back() < x[2 + axis];
        }
        if (inside)
          sum +=
              test.inputs[0].get(position_of(from, x)) * test.inputs[1].get(position_of(factor, w));
      }
    }
    sum = reference_activation(settings.activation, sum);
    if (settings.has_residual) sum += test.inputs.back().get(i);
    result.push_back(reference_activation(settings.after, sum));
  }
  return result;
}

std::vector<double> reference_conv_transpose(const Case& test) {
  const auto& settings = test.op.as.conv;
  const Extents x = dims_of(test.op.in[0]), w = dims_of(test.op.in[1]), y = dims_of(test.op.out[0]);
  const Extents taps(w.begin() + 2, w.end());
  std::vector<double> result(static_cast<std::size_t>(test.outputs[0].count()));
  for (std::size_t i = 0; settings.has_bias && i < result.size(); ++i)
    result[i] = test.inputs[2].get(indices_of(static_cast<std::int64_t>(i), y)[1]);
  // As it is defined: every element of the input adds its filter to the result.
  for (std::int64_t i = 0; i < test.inputs[0].count(); ++i) {
    const Extents from = indices_of(i, x);
    const std::int64_t group = from[1] / (x[1] / settings.group);
    for (std::int64_t k = 0; k < test.inputs[1].count() / w[0]; ++k) {
      const Extents tap = indices_of(from[1] * (test.inputs[1].count() / w[0]) + k, w);
      Extents to = {from[0], group * w[1] + tap[1]};
      bool inside = true;
      for (std::size_t axis = 0; axis < taps.size(); ++axis) {
        to.push_back(from[2 + axis] * settings.window.stride[axis] +
                     tap[2 + axis] * settings.window.dilation[axis] -
                     settings.window.pad_begin[axis]);
        inside = inside && to.back() >= 0 && to.back() < y[2 + axis];
      }
      if (inside)
        result[static_cast<std::size_t>(position_of(to, y))] +=
            test.inputs[0].get(i) * test.inputs[1].get(position_of(tap, w));
    }
  }
  for (double& value : result) value = reference_activation(settings.activation, value);
  return result;
}

std::vector<std::vector<double>> reference_pool(const Case& test) {
  const auto& pool = test.op.as.pool;
  const Extents x = dims_of(test.op.in[0]), y = dims_of(test.op.out[0]);
  Extents taps(pool.window.kernel, pool.window.kernel + pool.window.axes);
  std::int64_t tap_count = 1;
  for (const std::int64_t extent : taps) tap_count *= extent;
  std::vector<double> values, places;
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i) {
    const Extents at = indices_of(i, y);
    double value = pool.average ? 0 : -INFINITY;
    std::int64_t place = -1, inside_count = 0, padded_count = 0;
    for (std::int64_t t = 0; t < tap_count; ++t) {
      const Extents tap = indices_of(t, taps);
      Extents from = {at[0], at[1]};
      bool inside = true, padded = true;
      for (std::size_t axis = 0; axis < taps.size(); ++axis) {
        from.push_back(at[2 + axis] * pool.window.stride[axis] +
                       tap[axis] * pool.window.dilation[axis] - pool.window.pad_begin[axis]);
        inside = inside && from.back() >= 0 && from.back() < x[2 + axis];
        padded = padded && from.back() < x[2 + axis] + pool.window.pad_end[axis];
      }
      inside_count += inside ? 1 : 0;
      padded_count += padded ? 1 : 0;
      if (!inside) continue;
      const double candidate = test.inputs[0].get(position_of(from, x));
      if (pool.average) {
        value += candidate;
      } else if (place < 0 || candidate > value || (std::isnan(candidate) && !std::isnan(value))) {
        value = candidate;
        place = position_of(from, x);
      }
    }
    if (pool.average)
      value /= static_cast<double>(pool.count_include_pad ? padded_count : inside_count);
    values.push_back(value);
    places.push_back(static_cast<double>(place));
  }
  if (test.op.outputs == 1) return {values};
  return {values, places};
}

}  // namespace sluice::cuda
