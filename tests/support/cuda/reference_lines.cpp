#include "tests/support/cuda/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::cuda {
namespace {

// [outer, n, inner] of the first input, line by line.
std::vector<std::vector<double>> lines_of(const Case& test) {
  const Extents dims = dims_of(test.op.in[0]);
  std::vector<std::vector<double>> lines;
  for (std::int64_t outer = 0; outer < dims[0]; ++outer) {
    for (std::int64_t inner = 0; inner < dims[2]; ++inner) {
      auto& line = lines.emplace_back();
      for (std::int64_t i = 0; i < dims[1]; ++i)
        line.push_back(test.inputs[0].get(position_of({outer, i, inner}, dims)));
    }
  }
  return lines;
}

// Lines of the output back in row-major order.
std::vector<double> from_lines(const std::vector<std::vector<double>>& lines, const Extents& dims) {
  std::vector<double> result;
  for (std::int64_t outer = 0; outer < dims[0]; ++outer) {
    for (std::int64_t i = 0; i < dims[1]; ++i) {
      for (std::int64_t inner = 0; inner < dims[2]; ++inner)
        result.push_back(lines.at(static_cast<std::size_t>(outer * dims[2] + inner))
                             .at(static_cast<std::size_t>(i)));
    }
  }
  return result;
}

double sum_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double x : values) sum += x;
  return sum;
}

double most_of(const std::vector<double>& values) {
  double most = -INFINITY;
  for (const double x : values) most = std::isnan(most) || x <= most ? most : x;
  return most;
}

double reduced(int function, std::vector<double> values, bool whole, double least, double most) {
  const auto count = static_cast<double>(values.size());
  const auto mapped = [&](auto f) {
    std::transform(values.begin(), values.end(), values.begin(), f);
    return sum_of(values);
  };
  double result = 0;
  switch (function) {
    case SLUICE_CUDA_REDUCE_SUM:
      return sum_of(values);
    case SLUICE_CUDA_REDUCE_MEAN:
      result = sum_of(values) / count;
      return whole ? std::trunc(result) : result;
    case SLUICE_CUDA_REDUCE_MAX:
      result = least;
      for (const double x : values) result = std::isnan(x) || x > result ? x : result;
      return result;
    case SLUICE_CUDA_REDUCE_MIN:
      result = most;
      for (const double x : values) result = std::isnan(x) || x < result ? x : result;
      return result;
    case SLUICE_CUDA_REDUCE_PROD:
      result = 1;
      for (const double x : values) result *= x;
      return result;
    case SLUICE_CUDA_REDUCE_L1:
      return mapped([](double x) { return std::abs(x); });
    case SLUICE_CUDA_REDUCE_L2:
      result = std::sqrt(mapped([](double x) { return x * x; }));
      return whole ? std::trunc(result) : result;
    case SLUICE_CUDA_REDUCE_SUM_SQUARE:
      return mapped([](double x) { return x * x; });
    case SLUICE_CUDA_REDUCE_LOG_SUM:
      return std::log(sum_of(values));
    default:
      return std::log(mapped([](double x) { return std::exp(x); }));
  }
}

// The order of the elements: the extreme first, NaN before all, of equal ones the lower index.
std::vector<std::size_t> ranked(const std::vector<double>& line, bool largest) {
  std::vector<std::size_t> order(line.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const double x = line[a], y = line[b];
    if (std::isnan(x) || std::isnan(y)) return std::isnan(x) && !std::isnan(y);
    return largest ? x > y : x < y;
  });
  return order;
}

}  // namespace

std::vector<double> reference_reduce(const Case& test) {
  const sluice_cuda_view& in = test.op.in[0];
  std::int64_t length = 1;
  for (int axis = in.rank - test.op.as.reduce.reduced; axis < in.rank; ++axis)
    length *= in.dims[axis];
  const bool whole = !is_float(in.type);
  Block edges(dense(in.type, {2}));  // a type of integers keeps what is nearest
  edges.set(0, whole ? -1e300 : -INFINITY);
  edges.set(1, whole ? 1e300 : INFINITY);
  std::vector<double> result;
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i) {
    std::vector<double> values;
    for (std::int64_t k = 0; k < length; ++k) values.push_back(test.inputs[0].get(i * length + k));
    result.push_back(
        reduced(test.op.as.reduce.function, values, whole, edges.get(0), edges.get(1)));
  }
  return result;
}

std::vector<double> reference_arg(const Case& test) {
  std::vector<double> result;
  for (const auto& line : lines_of(test)) {
    const auto order = ranked(line, test.op.as.arg.largest != 0);
    std::size_t place = order[0];
    for (const std::size_t i : order) {
      const bool equal = line[i] == line[place] || (std::isnan(line[i]) && std::isnan(line[place]));
      if (equal && test.op.as.arg.select_last) place = i;
    }
    result.push_back(static_cast<double>(place));
  }
  return result;
}

std::vector<std::vector<double>> reference_topk(const Case& test) {
  std::vector<std::vector<double>> values, indices;
  for (const auto& line : lines_of(test)) {
    auto& best = values.emplace_back();
    auto& places = indices.emplace_back();
    for (const std::size_t i : ranked(line, test.op.as.topk.largest != 0)) {
      best.push_back(line[i]);
      places.push_back(static_cast<double>(i));
    }
  }
  const Extents dims = dims_of(test.op.out[0]);
  return {from_lines(values, dims), from_lines(indices, dims)};
}

std::vector<double> reference_softmax(const Case& test) {
  auto lines = lines_of(test);
  for (auto& line : lines) {
    const double most = most_of(line);
    double sum = 0;
    for (const double x : line) sum += std::exp(x - most);
    for (double& x : line)
      x = test.op.as.softmax.logarithm ? x - most - std::log(sum) : std::exp(x - most) / sum;
  }
  return from_lines(lines, dims_of(test.op.out[0]));
}

std::vector<double> reference_normalize(const Case& test) {
  const auto& settings = test.op.as.normalize;
  const std::int64_t inner = test.op.in[0].dims[2];
  auto lines = lines_of(test);
  for (std::size_t number = 0; number < lines.size(); ++number) {
    auto& line = lines[number];
    const auto length = static_cast<double>(line.size());
    const double mean = sum_of(line) / length;
    double variance = 0;
    for (const double x : line) variance += (x - mean) * (x - mean) / length;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const auto outer = static_cast<std::int64_t>(number) / inner;
      const std::int64_t index = settings.parameters_by == SLUICE_CUDA_BY_POSITION
                                     ? static_cast<std::int64_t>(i)
                                 : settings.parameters_by == SLUICE_CUDA_BY_OUTER
                                     ? outer % settings.channels
                                     : static_cast<std::int64_t>(number) % inner;
      line[i] = (line[i] - mean) / std::sqrt(variance + static_cast<double>(settings.epsilon));
      if (test.op.inputs > 1) line[i] *= test.inputs[1].get(index);
      if (test.op.inputs > 2) line[i] += test.inputs[2].get(index);
    }
  }
  return from_lines(lines, dims_of(test.op.out[0]));
}

}  // namespace sluice::cuda
