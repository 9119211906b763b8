#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/lines.cuh"

namespace sluice::cuda {
namespace {

struct Softmax {
  Lines lines;
  std::int32_t logarithm;
};

// A line that holds a NaN, or infinity, or nothing but -infinity, becomes NaN, as in numpy.
template <Team kTeam>
__global__ void softmax_lines(const __grid_constant__ Softmax work) {
  __shared__ Scratch<float> scratch;
  const Lines& lines = work.lines;
  for_each_line<kTeam>(lines.count(), [&](std::int64_t line) {
    float most = -INFINITY;
    for_each_value<kTeam>(lines, line, [&](const auto& v, std::int64_t) {
      for (const float x : v) most = fmaxf(most, x);
    });
    most = combine<kTeam>(most, scratch, [](float a, float b) { return fmaxf(a, b); });
    float sum = 0.0f;
    for_each_value<kTeam>(lines, line, [&](const auto& v, std::int64_t) {
      for (const float x : v) sum += expf(x - most);
    });
    sum = combine<kTeam>(sum, scratch, [](float a, float b) { return a + b; });
    const float log_sum = work.logarithm ? logf(sum) : 0.0f;
    for_each_value<kTeam>(lines, line, [&](auto& v, std::int64_t i) {
      for (float& x : v) x = work.logarithm ? x - most - log_sum : expf(x - most) / sum;
      store_values(lines, line, i, v);
    });
  });
}

}  // namespace

Made make_softmax(const sluice_cuda_op& op) {
  if (!are_lines(op.in[0]) || !are_lines(op.out[0]))
    return no_kernel("softmax of other than lines");
  if (!is_small_float(op.in[0].type) || !is_small_float(op.out[0].type))
    return no_kernel("softmax of other than f32, f16 and bf16");
  Softmax work{Lines(op.in[0], op.out[0]), op.as.softmax.logarithm};
  const sluice_cuda_view in = op.in[0], out = op.out[0];
  return made("kernel softmax", [work, in, out](CUstream_st* stream, const void* const* inputs,
                                                void* const* outputs) mutable {
    work.lines.point(at(inputs[0], in), at(outputs[0], out));
    const Team team = work.lines.team();
    return with_team(team, [&](auto kind) {
      return launch(softmax_lines<kind()>, Threads::kTogether,
                    grid_of_lines(team, work.lines.count()), stream, work);
    });
  });
}

}  // namespace sluice::cuda
