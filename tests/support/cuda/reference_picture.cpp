#include "tests/support/cuda/reference.h"

#include <algorithm>
#include <cmath>

namespace sluice::cuda {
namespace {

// What weight each element of an axis has in one of the result's.
std::vector<double> weights_of(bool antialias, std::int64_t index, std::int64_t from,
                               std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double support = antialias ? std::max(1.0, scale) : 1.0;
  double centre = (static_cast<double>(index) + 0.5) * scale - 0.5;
  if (!antialias) centre = std::clamp(centre, 0.0, static_cast<double>(from - 1));
  std::vector<double> weights;
  double sum = 0;
  for (std::int64_t i = 0; i < from; ++i) {
    weights.push_back(std::max(0.0, 1.0 - std::abs(static_cast<double>(i) - centre) / support));
    sum += weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

}  // namespace

std::vector<double> reference_image(const Case& test) {
  const auto& settings = test.op.as.image;
  const Extents in = dims_of(test.op.in[0]), out = dims_of(test.op.out[0]);
  std::vector<double> result;
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i) {
    const Extents at = indices_of(i, out);
    if (at[1] >= in[3]) {
      result.push_back(0);
      continue;
    }
    const std::int64_t channel = settings.reverse_channels ? in[3] - 1 - at[1] : at[1];
    const auto rows = weights_of(settings.antialias != 0, at[2], in[1], out[2]);
    const auto columns = weights_of(settings.antialias != 0, at[3], in[2], out[3]);
    double sum = 0;
    for (std::int64_t y = 0; y < in[1]; ++y) {
      for (std::int64_t x = 0; x < in[2]; ++x)
        sum += rows[static_cast<std::size_t>(y)] * columns[static_cast<std::size_t>(x)] *
               test.inputs[0].get(position_of({at[0], y, x, channel}, in));
    }
    result.push_back(sum * settings.scale[at[1]] + settings.shift[at[1]]);
  }
  return result;
}

std::vector<double> reference_resize(const Case& test) {
  const auto& settings = test.op.as.resize;
  const Extents in = dims_of(test.op.in[0]), out = dims_of(test.op.out[0]);
  std::int64_t combinations = 1;
  Extents taps, first;
  std::int64_t next = 0;
  for (std::size_t axis = 0; axis < out.size(); ++axis) {
    taps.push_back(std::max<std::int64_t>(settings.taps[axis], 1));
    first.push_back(next);
    next += out[axis] * settings.taps[axis];
    combinations *= taps.back();
  }
  std::vector<double> result;
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i) {
    const Extents at = indices_of(i, out);
    double sum = 0;
    for (std::int64_t c = 0; c < combinations; ++c) {
      const Extents tap = indices_of(c, taps);
      Extents from = at;
      double weight = 1;
      bool inside = true;
      for (std::size_t axis = 0; axis < out.size(); ++axis) {
        if (settings.taps[axis] == 0) continue;
        const std::int64_t entry = first[axis] + at[axis] * taps[axis] + tap[axis];
        from[axis] = static_cast<std::int64_t>(test.inputs[1].get(entry));
        weight *= test.inputs[2].get(entry);
        inside = inside && from[axis] >= 0;
      }
      sum += weight * (inside ? test.inputs[0].get(position_of(from, in))
                              : static_cast<double>(settings.outside));
    }
    result.push_back(sum);
  }
  return result;
}

std::vector<double> reference_lrn(const Case& test) {
  const auto& lrn = test.op.as.lrn;
  const Extents dims = dims_of(test.op.in[0]);
  std::vector<double> result;
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i) {
    Extents at = indices_of(i, dims);
    const std::int64_t own = at[1];
    double squares = 0;
    for (std::int64_t c = own - (lrn.size - 1) / 2; c <= own + lrn.size / 2; ++c) {
      if (c < 0 || c >= dims[1]) continue;
      at[1] = c;
      squares += std::pow(test.inputs[0].get(position_of(at, dims)), 2);
    }
    result.push_back(
        test.inputs[0].get(i) /
        std::pow(static_cast<double>(lrn.bias) +
                     static_cast<double>(lrn.alpha) / static_cast<double>(lrn.size) * squares,
                 static_cast<double>(lrn.beta)));
  }
  return result;
}

}  // namespace sluice::cuda
