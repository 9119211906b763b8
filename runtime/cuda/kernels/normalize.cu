#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/lines.cuh"

#include <array>

namespace sluice::cuda {
namespace {

struct Normalize {
  Lines lines;
  float epsilon;
  std::int32_t parameters_by;
  std::int64_t channels;
  Operand scale, shift;  // without memory: none
};

__device__ __forceinline__ float parameter(const Operand& operand, std::int64_t index) {
  return load_float(operand.type, operand.data, index * operand.strides[0]);
}

// Which parameter the first of a line's elements has, and how far on that of the next one is.
struct Choice {
  std::int64_t first, step;
};

__device__ __forceinline__ Choice choose(const Normalize& work, std::int64_t line) {
  if (work.parameters_by == SLUICE_CUDA_BY_POSITION) return {0, 1};
  const std::int64_t outer = line / work.lines.inner;
  if (work.parameters_by == SLUICE_CUDA_BY_OUTER) return {outer % work.channels, 0};
  return {line - outer * work.lines.inner, 0};
}

// The mean first and then the squares of the distances from it, as a difference of two large sums
// would be all error.
template <Team kTeam>
__global__ void normalize_lines(const __grid_constant__ Normalize work) {
  __shared__ Scratch<float> scratch;
  const Lines& lines = work.lines;
  const auto plus = [](float a, float b) { return a + b; };
  const auto length = static_cast<float>(lines.length);
  for_each_line<kTeam>(lines.count(), [&](std::int64_t line) {
    float sum = 0.0f;
    for_each_value<kTeam>(lines, line, [&](const auto& v, std::int64_t) {
      for (const float x : v) sum += x;
    });
    const float mean = combine<kTeam>(sum, scratch, plus) / length;
    float squares = 0.0f;
    for_each_value<kTeam>(lines, line, [&](const auto& v, std::int64_t) {
      for (const float x : v) squares += (x - mean) * (x - mean);
    });
    const float variance = combine<kTeam>(squares, scratch, plus) / length;
    const float factor = 1.0f / sqrtf(variance + work.epsilon);
    const Choice choice = choose(work, line);
    for_each_value<kTeam>(lines, line, [&](auto& v, std::int64_t i) {
      std::int64_t index = choice.first + i * choice.step;
      for (float& x : v) {
        x = (x - mean) * factor;
        if (work.scale.data) x *= parameter(work.scale, index);
        if (work.shift.data) x += parameter(work.shift, index);
        index += choice.step;
      }
      store_values(lines, line, i, v);
    });
  });
}

const char* why_not(const sluice_cuda_op& op) {
  if (!are_lines(op.in[0]) || !are_lines(op.out[0])) return "normalisation of other than lines";
  for (int i = 0; i < op.inputs; ++i) {
    if (!is_small_float(op.in[i].type)) return "normalisation of other than f32, f16 and bf16";
    if (i > 0 && op.in[i].rank != 1) return "parameters that are no vector";
  }
  if (!is_small_float(op.out[0].type)) return "normalisation of other than f32, f16 and bf16";
  if (op.inputs > 3) return "normalisation with more than three operands";
  return nullptr;
}

Operand vector_of(const sluice_cuda_view& view) {
  Operand operand;
  operand.type = view.type;
  operand.strides[0] = view.strides[0];
  return operand;
}

}  // namespace

Made make_normalize(const sluice_cuda_op& op) {
  if (const char* const reason = why_not(op)) return no_kernel(reason);
  const auto& settings = op.as.normalize;
  Normalize work{Lines(op.in[0], op.out[0]), settings.epsilon,
                 settings.parameters_by,     settings.channels < 1 ? 1 : settings.channels,
                 vector_of(op.in[1]),        vector_of(op.in[2])};
  const int count = op.inputs;
  return made("kernel normalize",
              [work, count, in = std::array{op.in[0], op.in[1], op.in[2]}, out = op.out[0]](
                  CUstream_st* stream, const void* const* inputs, void* const* outputs) mutable {
                work.lines.point(at(inputs[0], in[0]), at(outputs[0], out));
                work.scale.data = count > 1 ? at(inputs[1], in[1]) : nullptr;
                work.shift.data = count > 2 ? at(inputs[2], in[2]) : nullptr;
                const Team team = work.lines.team();
                return with_team(team, [&](auto kind) {
                  return launch(normalize_lines<kind()>, Threads::kTogether,
                                grid_of_lines(team, work.lines.count()), stream, work);
                });
              });
}

}  // namespace sluice::cuda
