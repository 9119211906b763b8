#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/lines.cuh"

#include <limits>

namespace sluice::cuda {
namespace {

struct Reduce {
  Space kept, reduced;
  Operand in, out;               // strides of the axes that are kept
  std::int64_t steps[kMaxRank];  // the input's, of the axes that are reduced
  std::int32_t function;
  std::int64_t least, most;  // of the type, where it is one of integers
};

// How the values of a line become one: `start` and `plus` of what `part` makes of each.
template <class C>
struct Sum {
  const Reduce& work;
  C pivot = 0;  // what exponents are taken relative to

  __device__ C start() const {
    switch (work.function) {
      case SLUICE_CUDA_REDUCE_MAX:
        return std::is_integral_v<C> ? static_cast<C>(work.least) : -static_cast<C>(INFINITY);
      case SLUICE_CUDA_REDUCE_MIN:
        return std::is_integral_v<C> ? static_cast<C>(work.most) : static_cast<C>(INFINITY);
      case SLUICE_CUDA_REDUCE_PROD:
        return 1;
      default:
        return 0;
    }
  }
  __device__ C part(C x) const {
    switch (work.function) {
      case SLUICE_CUDA_REDUCE_L1:
        return x < 0 ? -x : x;
      case SLUICE_CUDA_REDUCE_L2:
      case SLUICE_CUDA_REDUCE_SUM_SQUARE:
        return x * x;
      case SLUICE_CUDA_REDUCE_LOG_SUM_EXP:
        return static_cast<C>(std::exp(static_cast<Real>(x - pivot)));
      default:
        return x;
    }
  }
  // A NaN wins in a maximum and in a minimum.
  __device__ C plus(C a, C b) const {
    switch (work.function) {
      case SLUICE_CUDA_REDUCE_MAX:
        return a > b || a != a ? a : b;
      case SLUICE_CUDA_REDUCE_MIN:
        return a < b || a != a ? a : b;
      case SLUICE_CUDA_REDUCE_PROD:
        return a * b;
      default:
        return a + b;
    }
  }
  __device__ C end(C sum) const {
    const auto count = static_cast<C>(work.reduced.count);
    switch (work.function) {
      case SLUICE_CUDA_REDUCE_MEAN:
        return std::is_integral_v<C> && count == 0 ? C(0) : sum / count;
      case SLUICE_CUDA_REDUCE_L2:
        return static_cast<C>(std::sqrt(static_cast<Real>(sum)));
      case SLUICE_CUDA_REDUCE_LOG_SUM:
        return static_cast<C>(std::log(static_cast<Real>(sum)));
      case SLUICE_CUDA_REDUCE_LOG_SUM_EXP:
        return pivot + static_cast<C>(std::log(static_cast<Real>(sum)));
      default:
        return sum;
    }
  }

 private:
  using Real = std::conditional_t<std::is_same_v<C, float>, float, double>;
};

template <Team kTeam, class C, class F>
__device__ __forceinline__ void for_each_element(const Reduce& work, std::int64_t line, F f) {
  if (line >= work.kept.count) return;
  const std::int64_t start = work.kept.offset(line, work.in.strides);
  for (std::int64_t i = first_element<kTeam>(); i < work.reduced.count; i += kElementStep<kTeam>)
    f(load_as<C>(work.in.type, work.in.data, start + work.reduced.offset(i, work.steps)));
}

// The exponents of a line of nothing but -infinity, or with infinity in it, are not to be NaN.
template <class C>
__device__ __forceinline__ C pivot_of(C most) {
  return most - most == C(0) ? most : C(0);
}

template <Team kTeam, class C>
__global__ void reduce_lines(const __grid_constant__ Reduce work) {
  __shared__ Scratch<C> scratch;
  for_each_line<kTeam>(work.kept.count, [&](std::int64_t line) {
    Sum<C> sum{work};
    if (work.function == SLUICE_CUDA_REDUCE_LOG_SUM_EXP) {
      C most = std::is_integral_v<C> ? static_cast<C>(work.least) : -static_cast<C>(INFINITY);
      for_each_element<kTeam, C>(work, line, [&](C x) { most = x > most ? x : most; });
      most = combine<kTeam>(most, scratch, [](C a, C b) { return a > b ? a : b; });
      sum.pivot = pivot_of(most);
    }
    C value = sum.start();
    for_each_element<kTeam, C>(work, line, [&](C x) { value = sum.plus(value, sum.part(x)); });
    value = combine<kTeam>(value, scratch, [&](C a, C b) { return sum.plus(a, b); });
    if (line < work.kept.count && first_element<kTeam>() == 0)
      store_as<C>(work.out.type, work.out.data, work.kept.offset(line, work.out.strides),
                  sum.end(value));
  });
}

std::int64_t least_of(int type) {
  switch (type) {
    case SLUICE_CUDA_I8:
      return std::numeric_limits<std::int8_t>::min();
    case SLUICE_CUDA_I16:
      return std::numeric_limits<std::int16_t>::min();
    case SLUICE_CUDA_I32:
      return std::numeric_limits<std::int32_t>::min();
    case SLUICE_CUDA_I64:
      return std::numeric_limits<std::int64_t>::min();
    default:
      return 0;
  }
}

std::int64_t most_of(int type) {
  if (type == SLUICE_CUDA_BOOL) return 1;
  const bool is_signed = type >= SLUICE_CUDA_I8 && type <= SLUICE_CUDA_I64;
  const int bits = 8 * bytes_of(type) - (is_signed || bytes_of(type) == 8 ? 1 : 0);
  return static_cast<std::int64_t>((std::uint64_t{1} << bits) - 1);
}

// Views of some of the axes.
sluice_cuda_view part_of(const sluice_cuda_view& view, int begin, int end) {
  sluice_cuda_view part{};
  part.type = view.type;
  part.rank = end - begin;
  std::copy(view.dims + begin, view.dims + end, part.dims);
  std::copy(view.strides + begin, view.strides + end, part.strides);
  return part;
}

Reduce describe(const sluice_cuda_op& op) {
  const sluice_cuda_view& in = op.in[0];
  const int kept_axes = in.rank - op.as.reduce.reduced;
  const sluice_cuda_view kept_in = part_of(in, 0, kept_axes);
  const Collapsed kept = collapse({&op.out[0], &kept_in});
  const sluice_cuda_view rest = part_of(in, kept_axes, in.rank);
  const Collapsed reduced = collapse({&rest});
  Reduce work{};
  work.kept = kept.space();
  work.reduced = reduced.space();
  work.in.type = in.type;
  work.out.type = op.out[0].type;
  std::copy(kept.strides[0], kept.strides[0] + kMaxRank, work.out.strides);
  std::copy(kept.strides[1], kept.strides[1] + kMaxRank, work.in.strides);
  std::copy(reduced.strides[0], reduced.strides[0] + kMaxRank, work.steps);
  work.function = op.as.reduce.function;
  work.least = least_of(in.type);
  work.most = most_of(in.type);
  return work;
}

// Whether neighbouring lines lie closer together than a line's own elements.
bool lie_side_by_side(const Reduce& work) {
  if (work.kept.rank == 0 || work.kept.count < kLanes) return false;
  const bool close = work.in.strides[work.kept.rank - 1] == 1;
  return close && (work.reduced.rank == 0 || work.steps[work.reduced.rank - 1] != 1);
}

template <class C>
Outcome run(const Reduce& work, CUstream_st* stream) {
  const Team team = team_for(work.kept.count, work.reduced.count, lie_side_by_side(work));
  return with_team(team, [&](auto kind) {
    return launch(reduce_lines<kind(), C>, Threads::kTogether, grid_of_lines(team, work.kept.count),
                  stream, work);
  });
}

}  // namespace

Made make_reduce(const sluice_cuda_op& op) {
  const int reduced = op.as.reduce.reduced;
  if (reduced < 0 || reduced > op.in[0].rank || op.out[0].rank != op.in[0].rank - reduced)
    return no_kernel("a reduction of axes that are not there");
  Reduce work = describe(op);
  return made("kernel reduce",
              [work, in = op.in[0], out = op.out[0]](CUstream_st* stream, const void* const* inputs,
                                                     void* const* outputs) mutable {
                work.in.data = at(inputs[0], in);
                work.out.data = at(outputs[0], out);
                if (is_small_float(in.type)) return run<float>(work, stream);
                if (in.type == SLUICE_CUDA_F64) return run<double>(work, stream);
                return run<std::int64_t>(work, stream);
              });
}

}  // namespace sluice::cuda
