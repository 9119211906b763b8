#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/move.cuh"

namespace sluice::cuda {
namespace {

struct Copy {
  Space space;
  Operand in, out;
};

template <class T>
__global__ void copy_elements(const __grid_constant__ Copy copy) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < copy.space.count;
       i += step) {
    const T value = static_cast<const T*>(copy.in.data)[copy.space.offset(i, copy.in.strides)];
    static_cast<T*>(copy.out.data)[copy.space.offset(i, copy.out.strides)] = value;
  }
}

constexpr int kTile = 32, kRows = 8;

// What lies close together in the input and what does in the output are two axes. A block turns a
// tile of the two round in shared memory, so that both sides go by whole rows.
struct Turn {
  Space rest;                  // the other axes
  std::int64_t across, along;  // extents: close in the input, close in the output
  std::int64_t across_tiles, along_tiles;
  std::int64_t in_stride, out_stride;  // of the other of the two, on either side
  Operand in, out;                     // strides of the other axes
};

template <class T>
__global__ void copy_turned(const __grid_constant__ Turn turn) {
  __shared__ T tile[kTile][kTile + 1];
  const std::int64_t tiles = turn.rest.count * turn.across_tiles * turn.along_tiles;
  for (std::int64_t t = blockIdx.x; t < tiles; t += gridDim.x) {
    const std::int64_t across = t % turn.across_tiles * kTile;
    const std::int64_t along = t / turn.across_tiles % turn.along_tiles * kTile;
    const std::int64_t rest = t / turn.across_tiles / turn.along_tiles;
    const T* const in =
        static_cast<const T*>(turn.in.data) + turn.rest.offset(rest, turn.in.strides);
    T* const out = static_cast<T*>(turn.out.data) + turn.rest.offset(rest, turn.out.strides);
    const std::int64_t from = across + threadIdx.x;
    for (int row = threadIdx.y; row < kTile; row += kRows) {
      if (from < turn.across && along + row < turn.along)
        tile[row][threadIdx.x] = in[(along + row) * turn.in_stride + from];
    }
    __syncthreads();
    const std::int64_t to = along + threadIdx.x;
    for (int row = threadIdx.y; row < kTile; row += kRows) {
      if (to < turn.along && across + row < turn.across)
        out[(across + row) * turn.out_stride + to] = tile[threadIdx.x][row];
    }
    __syncthreads();
  }
}

// The same bytes in larger elements, where the addresses allow. Gives their size.
int widen_rows(Copy& copy, int bytes) {
  const int rank = copy.space.rank;
  if (rank == 0) return bytes;
  const int inner = rank - 1;
  const int wide = widest(bytes, copy.space.dims[inner], copy.in, copy.out, rank, inner);
  std::int64_t dims[kMaxRank];
  std::copy(copy.space.dims, copy.space.dims + rank, dims);
  dims[inner] /= wide / bytes;
  copy.space = Space(dims, rank);
  widen(copy.in, rank, inner, wide / bytes);
  widen(copy.out, rank, inner, wide / bytes);
  return wide;
}

// The axis of stride 1; -1 if there is none.
int close_axis(const std::int64_t* strides, int rank) {
  const auto* const found = std::find(strides, strides + rank, 1);
  return found == strides + rank ? -1 : static_cast<int>(found - strides);
}

bool is_turned(const Collapsed& views) {
  const int across = close_axis(views.strides[1], views.rank);
  const int along = close_axis(views.strides[0], views.rank);
  return across >= 0 && along >= 0 && across != along && views.dims[across] >= 8 &&
         views.dims[along] >= 8;
}

Turn turn_of(const Collapsed& views) {
  const int across = close_axis(views.strides[1], views.rank);
  const int along = close_axis(views.strides[0], views.rank);
  Turn turn{};
  turn.across = views.dims[across];
  turn.along = views.dims[along];
  turn.across_tiles = (turn.across + kTile - 1) / kTile;
  turn.along_tiles = (turn.along + kTile - 1) / kTile;
  turn.in_stride = views.strides[1][along];
  turn.out_stride = views.strides[0][across];
  std::int64_t dims[kMaxRank];
  int rank = 0;
  for (int axis = 0; axis < views.rank; ++axis) {
    if (axis == across || axis == along) continue;
    dims[rank] = views.dims[axis];
    turn.in.strides[rank] = views.strides[1][axis];
    turn.out.strides[rank++] = views.strides[0][axis];
  }
  turn.rest = Space(dims, rank);
  return turn;
}

}  // namespace

Made make_copy(const sluice_cuda_op& op) {
  const int bytes = bytes_of(op.in[0].type);
  if (bytes != bytes_of(op.out[0].type)) return no_kernel("a copy between sizes of element");
  const sluice_cuda_view from = op.in[0], to = op.out[0];
  const Collapsed views = collapse({&to, &from});
  if (is_turned(views)) {
    Turn turn = turn_of(views);
    return made(
        "kernel transpose", [turn, from, to, bytes](CUstream_st* stream, const void* const* inputs,
                                                    void* const* outputs) mutable {
          turn.in.data = at(inputs[0], from);
          turn.out.data = at(outputs[0], to);
          Grid grid = grid_for(turn.rest.count * turn.across_tiles * turn.along_tiles, 1);
          grid.threads = dim3(kTile, kRows);
          return with_element(bytes, [&](auto element) {
            return launch(copy_turned<decltype(element)>, Threads::kTogether, grid, stream, turn);
          });
        });
  }
  Copy copy{};
  copy.space = views.space();
  std::copy(views.strides[0], views.strides[0] + kMaxRank, copy.out.strides);
  std::copy(views.strides[1], views.strides[1] + kMaxRank, copy.in.strides);
  return made("kernel copy", [copy, from, to, bytes](CUstream_st* stream, const void* const* inputs,
                                                     void* const* outputs) {
    Copy wide = copy;
    wide.in.data = at(inputs[0], from);
    wide.out.data = at(outputs[0], to);
    const int width = widen_rows(wide, bytes);
    return with_bytes(width, [&](auto element) {
      return launch(copy_elements<decltype(element)>, Threads::kAlone, grid_for(wide.space.count),
                    stream, wide);
    });
  });
}

}  // namespace sluice::cuda
