#include "tests/support/cuda/reference.h"

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

}  // namespace sluice::cuda
