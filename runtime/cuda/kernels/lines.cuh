#pragma once

#include "sluice/runtime/cuda/kernels/element.cuh"
#include "sluice/runtime/cuda/kernels/space.h"

#include <algorithm>

// What works on lines of a tensor, each as a whole: reductions, softmax, normalisation. A line is
// taken by a team of threads. Blocks are 32 x 8 threads.
namespace sluice::cuda {

constexpr int kLanes = 32, kTeams = 8;

enum class Team : std::uint8_t {
  kWarp,    // a line for each row of the block's threads
  kBlock,   // one line
  kColumn,  // 32 lines that lie side by side, each taken by the eight threads below one another
};

// What a team needs to put its values together.
template <class T>
struct Scratch {
  T values[kTeams][kLanes + 1];
};

template <class T>
__device__ __forceinline__ T exchange_lanes(T value, int lanes) {
  return __shfl_xor_sync(~0u, value, lanes);
}

// Every thread's value into one, which all of the team get. All threads of the block come here.
template <Team kTeam, class T, class F>
__device__ __forceinline__ T combine(T value, Scratch<T>& scratch, F f) {
  if constexpr (kTeam != Team::kColumn) {
#pragma unroll
    for (int lanes = kLanes / 2; lanes > 0; lanes /= 2)
      value = f(value, exchange_lanes(value, lanes));
    if constexpr (kTeam == Team::kWarp) return value;
  }
  scratch.values[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  const int column = kTeam == Team::kColumn ? static_cast<int>(threadIdx.x) : 0;
  T result = scratch.values[0][column];
#pragma unroll
  for (int row = 1; row < kTeams; ++row) result = f(result, scratch.values[row][column]);
  __syncthreads();
  return result;
}

// The thread's own elements of a line: first, first + step, ...
template <Team kTeam>
__device__ __forceinline__ int first_element() {
  if constexpr (kTeam == Team::kWarp) return static_cast<int>(threadIdx.x);
  if constexpr (kTeam == Team::kColumn) return static_cast<int>(threadIdx.y);
  return static_cast<int>(threadIdx.y) * kLanes + static_cast<int>(threadIdx.x);
}

template <Team kTeam>
constexpr int kElementStep = kTeam == Team::kWarp     ? kLanes
                             : kTeam == Team::kColumn ? kTeams
                                                      : kLanes* kTeams;

template <Team kTeam>
constexpr int kLinesOfBlock = kTeam == Team::kWarp     ? kTeams
                              : kTeam == Team::kColumn ? kLanes
                                                       : 1;

// Calls `f` with each line of the thread's, `count` or more where it has none in this round but
// must take part in what its team does.
template <Team kTeam, class F>
__device__ __forceinline__ void for_each_line(std::int64_t count, F f) {
  constexpr int kLines = kLinesOfBlock<kTeam>;
  const int own = kTeam == Team::kWarp     ? static_cast<int>(threadIdx.y)
                  : kTeam == Team::kColumn ? static_cast<int>(threadIdx.x)
                                           : 0;
  for (std::int64_t line = std::int64_t{blockIdx.x} * kLines; line < count;
       line += std::int64_t{gridDim.x} * kLines)
    f(line + own);
}

inline Team team_for(std::int64_t lines, std::int64_t length, bool side_by_side) {
  if (side_by_side) return Team::kColumn;
  const bool few = lines < 1024 && length >= 1024;
  return few || length >= 8192 ? Team::kBlock : Team::kWarp;
}

// Calls `f` with a std::integral_constant of the team.
template <class F>
Outcome with_team(Team team, F f) {
  if (team == Team::kWarp) return f(std::integral_constant<Team, Team::kWarp>{});
  if (team == Team::kBlock) return f(std::integral_constant<Team, Team::kBlock>{});
  return f(std::integral_constant<Team, Team::kColumn>{});
}

inline Grid grid_of_lines(Team team, std::int64_t lines) {
  const int each = team == Team::kWarp ? kTeams : team == Team::kColumn ? kLanes : 1;
  return {grid_for((lines + each - 1) / each, 1).blocks, dim3(kLanes, kTeams)};
}

// [outer, n, inner] of small floats: line outer * inner + i is what lies along n.
struct Lines {
  std::int64_t outer = 0, length = 0, inner = 0;
  Operand in, out;
  std::int32_t packed = 0;  // whether lines are read and written eight elements at a time

  Lines() = default;
  Lines(const sluice_cuda_view& from, const sluice_cuda_view& to)
      : outer(from.dims[0]), length(from.dims[1]), inner(from.dims[2]) {
    in.type = from.type;
    out.type = to.type;
    std::copy(from.strides, from.strides + kMaxRank, in.strides);
    std::copy(to.strides, to.strides + kMaxRank, out.strides);
  }
  __host__ __device__ std::int64_t count() const { return outer * inner; }
  Team team() const { return team_for(count(), length, inner > 1 && in.strides[2] == 1); }
  void point(const void* from, void* to) {
    in.data = const_cast<void*>(from);
    out.data = to;
    const auto aligned = [&](const Operand& operand) {
      return operand.strides[1] == 1 &&
             is_aligned(operand.data, bytes_of(operand.type), operand.strides, 3, 1, kPack);
    };
    packed = length % kPack == 0 && aligned(in) && aligned(out) ? 1 : 0;
  }
};

__device__ __forceinline__ std::int64_t start_of(const Lines& lines, const Operand& operand,
                                                 std::int64_t line) {
  const std::int64_t outer = line / lines.inner;
  return outer * operand.strides[0] + (line - outer * lines.inner) * operand.strides[2];
}

// Calls `f` with values of the input, as an array of eight or of one, and the index of the first.
template <Team kTeam, class F>
__device__ __forceinline__ void for_each_value(const Lines& lines, std::int64_t line, F f) {
  if (line >= lines.count()) return;
  const std::int64_t start = start_of(lines, lines.in, line);
  if (kTeam != Team::kColumn && lines.packed) {
    for (std::int64_t i = std::int64_t{kPack} * first_element<kTeam>(); i < lines.length;
         i += kPack * kElementStep<kTeam>) {
      float v[kPack];
      load_pack(lines.in.type, lines.in.data, start + i, v);
      f(v, i);
    }
    return;
  }
  for (std::int64_t i = first_element<kTeam>(); i < lines.length; i += kElementStep<kTeam>) {
    float v[1] = {load_float(lines.in.type, lines.in.data, start + i * lines.in.strides[1])};
    f(v, i);
  }
}

__device__ __forceinline__ void store_values(const Lines& lines, std::int64_t line, std::int64_t i,
                                             const float (&v)[kPack]) {
  store_pack(lines.out.type, lines.out.data, start_of(lines, lines.out, line) + i, v);
}

__device__ __forceinline__ void store_values(const Lines& lines, std::int64_t line, std::int64_t i,
                                             const float (&v)[1]) {
  store_float(lines.out.type, lines.out.data,
              start_of(lines, lines.out, line) + i * lines.out.strides[1], v[0]);
}

inline bool are_lines(const sluice_cuda_view& view) { return view.rank == 3; }

}  // namespace sluice::cuda
