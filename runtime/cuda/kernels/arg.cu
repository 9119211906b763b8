#include "sluice/runtime/cuda/kernels/best.cuh"
#include "sluice/runtime/cuda/kernels/families.h"

namespace sluice::cuda {
namespace {

template <Team kTeam, class C>
__global__ void arg_lines(const __grid_constant__ Contest work) {
  __shared__ Scratch<Best<C>> scratch;
  const Lines& lines = work.lines;
  for_each_line<kTeam>(lines.count(), [&](std::int64_t line) {
    Best<C> best = none<C>();
    if (line < lines.count()) {
      const std::int64_t start = start_of(lines, lines.in, line);
      for (std::int64_t i = first_element<kTeam>(); i < lines.length; i += kElementStep<kTeam>)
        best = better(work, best, candidate<C>(lines, start, i));
    }
    best = combine<kTeam>(best, scratch,
                          [&](const Best<C>& a, const Best<C>& b) { return better(work, a, b); });
    if (line < lines.count() && first_element<kTeam>() == 0)
      static_cast<std::int64_t*>(lines.out.data)[start_of(lines, lines.out, line)] = best.index;
  });
}

template <class C>
Outcome run(const Contest& work, CUstream_st* stream) {
  const Team team = work.lines.team();
  return with_team(team, [&](auto kind) {
    return launch(arg_lines<kind(), C>, Threads::kTogether, grid_of_lines(team, work.lines.count()),
                  stream, work);
  });
}

}  // namespace

Made make_arg(const sluice_cuda_op& op) {
  if (!are_lines(op.in[0]) || op.out[0].rank != 2 || op.out[0].type != SLUICE_CUDA_I64)
    return no_kernel("places of extremes of other than lines");
  if (op.in[0].dims[1] == 0) return no_kernel("the extreme of nothing");
  // The result as lines of one element.
  sluice_cuda_view out = op.out[0];
  out.strides[2] = out.strides[1];
  out.strides[1] = 0;
  Contest work{Lines(op.in[0], out), op.as.arg.largest, op.as.arg.select_last};
  return made("kernel arg",
              [work, in = op.in[0], out](CUstream_st* stream, const void* const* inputs,
                                         void* const* outputs) mutable {
                work.lines.in.data = at(inputs[0], in);
                work.lines.out.data = at(outputs[0], out);
                if (is_small_float(in.type)) return run<float>(work, stream);
                if (in.type == SLUICE_CUDA_F64) return run<double>(work, stream);
                return run<std::int64_t>(work, stream);
              });
}

}  // namespace sluice::cuda
