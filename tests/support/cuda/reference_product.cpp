#include "tests/support/cuda/reference.h"

#include <algorithm>
#include <cmath>

namespace sluice::cuda {

std::vector<double> reference_matmul(const Case& test) {
  const auto& settings = test.op.as.matmul;
  const Extents a = dims_of(test.op.in[0]), b = dims_of(test.op.in[1]), c = dims_of(test.op.out[0]);
  std::vector<double> result;
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i) {
    const Extents at = indices_of(i, c);
    double sum = 0;
    for (std::int64_t k = 0; k < a[2]; ++k)
      sum += test.inputs[0].get(position_of({at[0], at[1], k}, a)) *
             test.inputs[1].get(position_of({at[0], k, at[2]}, b));
    sum *= settings.alpha;
    if (settings.has_bias)
      sum += settings.beta * test.inputs[2].get(settings.bias_is_matrix ? i : at[2]);
    result.push_back(reference_activation(settings.activation, sum));
  }
  return result;
}

std::vector<double> reference_attention(const Case& test) {
  const Extents q = dims_of(test.op.in[0]), k = dims_of(test.op.in[1]), v = dims_of(test.op.in[2]);
  const Extents y = dims_of(test.op.out[0]), mask = {y[0], y[1], y[2], k[2]};
  std::vector<double> result, weights(static_cast<std::size_t>(k[2]));
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i) {
    const Extents at = indices_of(i, y);
    if (at[3] == 0) {  // of a new query
      double most = -INFINITY, sum = 0;
      for (std::int64_t key = 0; key < k[2]; ++key) {
        double& score = weights[static_cast<std::size_t>(key)] = 0;
        for (std::int64_t d = 0; d < q[3]; ++d)
          score += test.inputs[0].get(position_of({at[0], at[1], at[2], d}, q)) *
                   test.inputs[1].get(position_of({at[0], at[1], key, d}, k));
        score *= static_cast<double>(test.op.as.attention.scale);
        if (test.op.inputs > 3)
          score += test.inputs[3].get(position_of({at[0], at[1], at[2], key}, mask));
        most = std::max(most, score);
      }
      for (double& weight : weights) sum += weight = std::exp(weight - most);
      for (double& weight : weights) weight /= sum;
    }
    double value = 0;
    for (std::int64_t key = 0; key < k[2]; ++key)
      value += weights[static_cast<std::size_t>(key)] *
               test.inputs[2].get(position_of({at[0], at[1], key, at[3]}, v));
    result.push_back(value);
  }
  return result;
}

}  // namespace sluice::cuda
