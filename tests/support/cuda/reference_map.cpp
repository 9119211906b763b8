#include "tests/support/cuda/reference.h"

#include <algorithm>
#include <cmath>

namespace sluice::cuda {
namespace {

double function_of(int function, double x, double alpha, double beta) {
  const auto clip = [](double v, double low, double high) {
    return v < low ? low : v > high ? high : v;
  };
  switch (function) {
    case SLUICE_CUDA_RELU:
      return x < 0 ? 0 : x;
    case SLUICE_CUDA_CLIP:
      return clip(x, alpha, beta);
    case SLUICE_CUDA_LEAKY_RELU:
      return x < 0 ? alpha * x : x;
    case SLUICE_CUDA_SIGMOID:
      return 1 / (1 + std::exp(-x));
    case SLUICE_CUDA_SILU:
      return x / (1 + std::exp(-x));
    case SLUICE_CUDA_HARD_SIGMOID:
      return clip(alpha * x + beta, 0, 1);
    case SLUICE_CUDA_HARD_SWISH:
      return x * clip(x / 6 + 0.5, 0, 1);
    case SLUICE_CUDA_GELU:
      return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
    case SLUICE_CUDA_GELU_TANH:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case SLUICE_CUDA_TANH:
      return std::tanh(x);
    case SLUICE_CUDA_EXP:
      return std::exp(x);
    case SLUICE_CUDA_LOG:
      return std::log(x);
    case SLUICE_CUDA_SQRT:
      return std::sqrt(x);
    case SLUICE_CUDA_RECIPROCAL:
      return 1 / x;
    case SLUICE_CUDA_ERF:
      return std::erf(x);
    case SLUICE_CUDA_NEG:
      return -x;
    case SLUICE_CUDA_ABS:
      return std::abs(x);
    case SLUICE_CUDA_FLOOR:
      return std::floor(x);
    case SLUICE_CUDA_CEIL:
      return std::ceil(x);
    case SLUICE_CUDA_ROUND:
      return std::nearbyint(x);
    case SLUICE_CUDA_SIGN:
      return x > 0 ? 1 : x < 0 ? -1 : x;
    case SLUICE_CUDA_ELU:
      return x < 0 ? alpha * (std::exp(x) - 1) : x;
    case SLUICE_CUDA_SELU:
      return beta * (x < 0 ? alpha * (std::exp(x) - 1) : x);
    case SLUICE_CUDA_CELU:
      return std::max(x, 0.0) + std::min(0.0, alpha * (std::exp(x / alpha) - 1));
    case SLUICE_CUDA_SOFTPLUS:
      return std::log(1 + std::exp(x));
    case SLUICE_CUDA_SOFTSIGN:
      return x / (1 + std::abs(x));
    case SLUICE_CUDA_THRESHOLDED_RELU:
      return x > alpha ? x : 0;
    case SLUICE_CUDA_MISH:
      return x * std::tanh(std::log(1 + std::exp(x)));
    case SLUICE_CUDA_SIN:
      return std::sin(x);
    case SLUICE_CUDA_COS:
      return std::cos(x);
    case SLUICE_CUDA_TAN:
      return std::tan(x);
    case SLUICE_CUDA_ASIN:
      return std::asin(x);
    case SLUICE_CUDA_ACOS:
      return std::acos(x);
    case SLUICE_CUDA_ATAN:
      return std::atan(x);
    case SLUICE_CUDA_SINH:
      return std::sinh(x);
    case SLUICE_CUDA_COSH:
      return std::cosh(x);
    default:
      return x == 0 ? 1 : 0;
  }
}

double modulo(double a, double b) { return a - std::floor(a / b) * b; }

double pair_of(int function, bool whole, double a, double b) {
  const bool by_zero = whole && b == 0;
  switch (function) {
    case SLUICE_CUDA_ADD:
      return a + b;
    case SLUICE_CUDA_SUB:
      return a - b;
    case SLUICE_CUDA_MUL:
      return a * b;
    case SLUICE_CUDA_DIV:
      if (whole) return by_zero ? 0 : std::trunc(a / b);
      return a / b;
    case SLUICE_CUDA_POW:
      return whole ? std::trunc(std::pow(a, b)) : std::pow(a, b);
    case SLUICE_CUDA_MIN:
      return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
    case SLUICE_CUDA_MAX:
      return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
    case SLUICE_CUDA_MOD:
      return by_zero ? 0 : modulo(a, b);
    case SLUICE_CUDA_FMOD:
      return by_zero ? 0 : std::fmod(a, b);
    case SLUICE_CUDA_PRELU:
      return a < 0 ? a * b : a;
    case SLUICE_CUDA_AND:
      return a != 0 && b != 0;
    case SLUICE_CUDA_OR:
      return a != 0 || b != 0;
    case SLUICE_CUDA_XOR:
      return (a != 0) != (b != 0);
    case SLUICE_CUDA_EQUAL:
      return a == b;
    case SLUICE_CUDA_LESS:
      return a < b;
    case SLUICE_CUDA_LESS_OR_EQUAL:
      return a <= b;
    case SLUICE_CUDA_GREATER:
      return a > b;
    default:
      return a >= b;
  }
}

}  // namespace

double reference_activation(const sluice_cuda_activation& activation, double value) {
  if (activation.function < 0) return value;
  return activation.scale *
             function_of(activation.function, value, activation.alpha, activation.beta) +
         activation.shift;
}

std::vector<double> reference_map(const Case& test) {
  const auto& map = test.op.as.map;
  const bool whole = map.compute == SLUICE_CUDA_COMPUTE_I64;
  std::vector<double> result;
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i) {
    double v = test.inputs[0].get(i);
    if (whole) v = std::trunc(v);
    for (int s = 0; s < map.stages; ++s) {
      const sluice_cuda_stage& stage = map.stage[s];
      if (stage.kind == SLUICE_CUDA_STAGE_UNARY) {
        v = reference_activation(stage.activation, v);
        continue;
      }
      const double other = test.inputs[static_cast<std::size_t>(stage.operand)].get(i);
      if (stage.kind == SLUICE_CUDA_STAGE_SELECT)
        v = other != 0 ? v : test.inputs[static_cast<std::size_t>(stage.other)].get(i);
      else
        v = stage.reversed ? pair_of(stage.function, whole, other, v)
                           : pair_of(stage.function, whole, v, other);
    }
    result.push_back(v);
  }
  return result;
}

}  // namespace sluice::cuda
