#include "sluice/runtime/cuda/kernels/best.cuh"
#include "sluice/runtime/cuda/kernels/families.h"

namespace sluice::cuda {
namespace {

struct TopK {
  Contest contest;  // its output are the values
  Operand indices;
  std::int64_t k;
};

// Finds the best k times, each time among those that come after the one before: no memory is
// needed, and k is small where models ask for it.
template <class C>
__global__ void topk_lines(const __grid_constant__ TopK work) {
  __shared__ Scratch<Best<C>> scratch;
  const Contest& contest = work.contest;
  const Lines& lines = contest.lines;
  for_each_line<Team::kBlock>(lines.count(), [&](std::int64_t line) {
    const std::int64_t start = start_of(lines, lines.in, line);
    Best<C> last = none<C>();
    for (std::int64_t place = 0; place < work.k; ++place) {
      Best<C> best = none<C>();
      for (std::int64_t i = first_element<Team::kBlock>(); i < lines.length;
           i += kElementStep<Team::kBlock>) {
        const Best<C> next = candidate<C>(lines, start, i);
        if (last.index < 0 || precedes(contest, last, next)) best = better(contest, best, next);
      }
      last = combine<Team::kBlock>(
          best, scratch, [&](const Best<C>& a, const Best<C>& b) { return better(contest, a, b); });
      if (first_element<Team::kBlock>() != 0) continue;
      store_as<C>(lines.out.type, lines.out.data,
                  start_of(lines, lines.out, line) + place * lines.out.strides[1], last.value);
      static_cast<std::int64_t*>(work.indices.data)[start_of(lines, work.indices, line) +
                                                    place * work.indices.strides[1]] = last.index;
    }
  });
}

}  // namespace

Made make_topk(const sluice_cuda_op& op) {
  if (op.outputs != 2 || !are_lines(op.in[0]) || !are_lines(op.out[0]) || !are_lines(op.out[1]))
    return no_kernel("the first k of other than lines");
  if (op.out[0].type != op.in[0].type || op.out[1].type != SLUICE_CUDA_I64)
    return no_kernel("the first k into other types");
  const std::int64_t k = op.out[0].dims[1];
  if (k > op.in[0].dims[1]) return no_kernel("more of a line than it has");
  TopK work{{Lines(op.in[0], op.out[0]), op.as.topk.largest, 0}, {}, k};
  std::copy(op.out[1].strides, op.out[1].strides + kMaxRank, work.indices.strides);
  return made("kernel topk",
              [work, in = op.in[0], values = op.out[0], indices = op.out[1]](
                  CUstream_st* stream, const void* const* inputs, void* const* outputs) mutable {
                Lines& lines = work.contest.lines;
                lines.in.data = at(inputs[0], in);
                lines.out.data = at(outputs[0], values);
                work.indices.data = at(outputs[1], indices);
                const Grid grid = grid_of_lines(Team::kBlock, lines.count());
                if (is_small_float(in.type))
                  return launch(topk_lines<float>, Threads::kTogether, grid, stream, work);
                if (in.type == SLUICE_CUDA_F64)
                  return launch(topk_lines<double>, Threads::kTogether, grid, stream, work);
                return launch(topk_lines<std::int64_t>, Threads::kTogether, grid, stream, work);
              });
}

}  // namespace sluice::cuda
