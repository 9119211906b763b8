#include "sluice/nodes/infer/native/kernels/movement.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace sluice::kernels {
namespace {

using Extents = std::array<std::int64_t, kMaxRank>;

// output[i...] = input[sum of i * stride]: the walk behind transpose, slice, expand and
// depth_to_space. Axes whose strides continue each other are merged, so that what is contiguous is
// copied whole.
struct Walk {
  std::size_t rank = 0;
  Extents extents{}, strides{};

  void push(std::int64_t extent, std::int64_t stride) {
    if (extent == 1) return;
    if (rank > 0 && strides[rank - 1] == stride * extent) {
      extents[rank - 1] *= extent;
      strides[rank - 1] = stride;
      return;
    }
    assert(rank < kMaxRank);
    extents[rank] = extent;
    strides[rank++] = stride;
  }
};

// A tile of a matrix's transpose small enough for L1 in both directions.
template <class T>
void transpose_matrix(std::int64_t rows, std::int64_t row_stride, std::int64_t columns,
                      const T* input, T* output) {
  // output[r][c] = input[r * row_stride... ]: input has `rows` at stride 1 and `columns` at
  // row_stride.
  constexpr std::int64_t kTile = 16;
  for (std::int64_t r0 = 0; r0 < rows; r0 += kTile) {
    const std::int64_t r1 = std::min(rows, r0 + kTile);
    for (std::int64_t c0 = 0; c0 < columns; c0 += kTile) {
      const std::int64_t c1 = std::min(columns, c0 + kTile);
      for (std::int64_t r = r0; r < r1; ++r) {
        for (std::int64_t c = c0; c < c1; ++c) output[r * columns + c] = input[r + c * row_stride];
      }
    }
  }
}

template <class T>
void run(const Walk& walk, const T* input, T* output) {
  if (walk.rank == 0) {
    *output = *input;
    return;
  }
  for (std::size_t axis = 0; axis < walk.rank; ++axis) {
    if (walk.extents[axis] == 0) return;
  }
  // The last axis is a run; where the last two swap a contiguous axis inwards, they are a matrix
  // transpose.
  const std::size_t last = walk.rank - 1;
  const std::int64_t run_length = walk.extents[last], run_stride = walk.strides[last];
  const bool matrix = walk.rank >= 2 && run_stride != 1 && walk.strides[last - 1] == 1;
  const std::size_t outer = matrix ? last - 1 : last;
  const std::int64_t block = matrix ? run_length * walk.extents[last - 1] : run_length;
  Extents at{};
  for (;;) {
    if (matrix) {
      transpose_matrix(walk.extents[last - 1], run_stride, run_length, input, output);
    } else if (run_stride == 1) {
      std::copy_n(input, run_length, output);
    } else if (run_stride == 0) {
      std::fill_n(output, run_length, *input);
    } else {
      for (std::int64_t i = 0; i < run_length; ++i) output[i] = input[i * run_stride];
    }
    output += block;
    std::size_t axis = outer;
    for (;;) {
      if (axis == 0) return;
      --axis;
      input += walk.strides[axis];
      if (++at[axis] < walk.extents[axis]) break;
      input -= walk.strides[axis] * walk.extents[axis];
      at[axis] = 0;
    }
  }
}

// Calls f with a null pointer of the unsigned type of that size.
template <class F>
void with_element(std::size_t element_bytes, F&& f) {
  switch (element_bytes) {
    case 1:
      return f(static_cast<std::uint8_t*>(nullptr));
    case 2:
      return f(static_cast<std::uint16_t*>(nullptr));
    case 4:
      return f(static_cast<std::uint32_t*>(nullptr));
    default:
      assert(element_bytes == 8);
      return f(static_cast<std::uint64_t*>(nullptr));
  }
}

void run_bytes(std::size_t element_bytes, const Walk& walk, const void* input, void* output) {
  with_element(element_bytes, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    run(walk, static_cast<const T*>(input), static_cast<T*>(output));
  });
}

const std::byte* bytes(const void* data) { return static_cast<const std::byte*>(data); }
std::byte* bytes(void* data) { return static_cast<std::byte*>(data); }

Extents contiguous_strides(Dims dims) {
  Extents strides{};
  std::int64_t stride = 1;
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= dims[axis];
  }
  return strides;
}

}  // namespace

void transpose(std::size_t element_bytes, Dims dims, std::span<const std::int64_t> permutation,
               const void* input, void* output) {
  assert(dims.size() == permutation.size() && dims.size() <= kMaxRank);
  const Extents strides = contiguous_strides(dims);
  Walk walk;
  for (std::int64_t axis : permutation) {
    walk.push(dims[static_cast<std::size_t>(axis)], strides[static_cast<std::size_t>(axis)]);
  }
  run_bytes(element_bytes, walk, input, output);
}

void concat(std::size_t element_bytes, std::int64_t outer, std::int64_t inner,
            std::span<const ConcatPart> parts, void* output) {
  const std::size_t unit = static_cast<std::size_t>(inner) * element_bytes;
  std::byte* to = bytes(output);
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const ConcatPart& part : parts) {
      const std::size_t size = static_cast<std::size_t>(part.extent) * unit;
      if (size == 0) continue;
      std::memcpy(to, bytes(part.data) + static_cast<std::size_t>(o) * size, size);
      to += size;
    }
  }
}

void split(std::size_t element_bytes, std::int64_t outer, std::int64_t inner, const void* input,
           std::span<const SplitPart> parts) {
  const std::size_t unit = static_cast<std::size_t>(inner) * element_bytes;
  const std::byte* from = bytes(input);
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const SplitPart& part : parts) {
      const std::size_t size = static_cast<std::size_t>(part.extent) * unit;
      if (size == 0) continue;
      std::memcpy(bytes(part.data) + static_cast<std::size_t>(o) * size, from, size);
      from += size;
    }
  }
}

void slice(std::size_t element_bytes, const SliceParams& p, const void* input, void* output) {
  const Extents strides = contiguous_strides(p.dims);
  Walk walk;
  std::int64_t start = 0;
  for (std::size_t axis = 0; axis < p.dims.size(); ++axis) {
    if (p.extents[axis] == 0) return;
    start += p.starts[axis] * strides[axis];
    walk.push(p.extents[axis], strides[axis] * p.steps[axis]);
  }
  run_bytes(element_bytes, walk, bytes(input) + start * static_cast<std::int64_t>(element_bytes),
            output);
}

template <class I>
bool gather(std::size_t element_bytes, std::int64_t outer, std::int64_t axis, std::int64_t inner,
            std::span<const I> indices, const void* input, void* output) {
  const std::size_t unit = static_cast<std::size_t>(inner) * element_bytes;
  const std::byte* from = bytes(input);
  std::byte* to = bytes(output);
  for (std::int64_t o = 0; o < outer; ++o, from += static_cast<std::size_t>(axis) * unit) {
    for (I index : indices) {
      const std::int64_t at = index < 0 ? index + axis : index;
      if (at < 0 || at >= axis) return false;
      if (unit > 0) std::memcpy(to, from + static_cast<std::size_t>(at) * unit, unit);
      to += unit;
    }
  }
  return true;
}

template bool gather(std::size_t, std::int64_t, std::int64_t, std::int64_t,
                     std::span<const std::int32_t>, const void*, void*);
template bool gather(std::size_t, std::int64_t, std::int64_t, std::int64_t,
                     std::span<const std::int64_t>, const void*, void*);

void expand(std::size_t element_bytes, Dims dims, Dims out_dims, const void* input, void* output) {
  assert(dims.size() <= out_dims.size() && out_dims.size() <= kMaxRank);
  const Extents strides = contiguous_strides(dims);
  const std::size_t missing = out_dims.size() - dims.size();
  Walk walk;
  for (std::size_t axis = 0; axis < out_dims.size(); ++axis) {
    const bool repeats = axis < missing || dims[axis - missing] == 1;
    walk.push(out_dims[axis], repeats ? 0 : strides[axis - missing]);
  }
  run_bytes(element_bytes, walk, input, output);
}

namespace {

// Axes are tiled from the outside in; each row of the innermost is written once, then copied.
template <class T>
T* tile_axis(Dims dims, std::span<const std::int64_t> repeats, const T* input, T* output) {
  if (dims.empty()) {
    *output = *input;
    return output + 1;
  }
  T* const start = output;
  if (dims.size() == 1) {
    output = std::copy_n(input, dims[0], output);
  } else {
    const std::int64_t inner = element_count(dims.subspan(1));
    for (std::int64_t i = 0; i < dims[0]; ++i)
      output = tile_axis(dims.subspan(1), repeats.subspan(1), input + i * inner, output);
  }
  const std::int64_t size = output - start;
  for (std::int64_t r = 1; r < repeats[0]; ++r) output = std::copy_n(start, size, output);
  return output;
}

// The input index that output index `i` of an axis shows, or -1 for the constant.
std::int64_t pad_source(PadMode mode, std::int64_t i, std::int64_t before, std::int64_t extent) {
  const std::int64_t at = i - before;
  if (at >= 0 && at < extent) return at;
  switch (mode) {
    case PadMode::kConstant:
      return -1;
    case PadMode::kEdge:
      return at < 0 ? 0 : extent - 1;
    case PadMode::kWrap:
      return ((at % extent) + extent) % extent;
    case PadMode::kReflect:
      break;
  }
  if (extent == 1) return 0;
  const std::int64_t period = 2 * (extent - 1);
  const std::int64_t phase = ((at % period) + period) % period;
  return phase < extent ? phase : period - phase;
}

template <class T>
T* pad_axis(const PadParams& p, std::size_t axis, T value, const T* input, T* output) {
  const std::int64_t extent = p.dims[axis], out_extent = extent + p.before[axis] + p.after[axis];
  const std::int64_t inner = element_count(p.dims.subspan(axis + 1));
  std::int64_t out_inner = 1;
  for (std::size_t other = axis + 1; other < p.dims.size(); ++other) {
    out_inner *= p.dims[other] + p.before[other] + p.after[other];
  }
  for (std::int64_t i = 0; i < out_extent; ++i) {
    const std::int64_t at = pad_source(p.mode, i, p.before[axis], extent);
    if (at < 0) {
      output = std::fill_n(output, out_inner, value);
    } else if (axis + 1 == p.dims.size()) {
      *output++ = input[at];
    } else {
      output = pad_axis(p, axis + 1, value, input + at * inner, output);
    }
  }
  return output;
}

}  // namespace

void tile(std::size_t element_bytes, Dims dims, std::span<const std::int64_t> repeats,
          const void* input, void* output) {
  assert(dims.size() == repeats.size());
  if (element_count(dims) == 0 || element_count(repeats) == 0) return;
  with_element(element_bytes, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    tile_axis(dims, repeats, static_cast<const T*>(input), static_cast<T*>(output));
  });
}

void pad(std::size_t element_bytes, const PadParams& p, const void* input, void* output) {
  with_element(element_bytes, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    T value{};
    if (p.value != nullptr) std::memcpy(&value, p.value, sizeof value);
    const auto* from = static_cast<const T*>(input);
    auto* to = static_cast<T*>(output);
    if (p.dims.empty()) {
      *to = *from;
      return;
    }
    pad_axis(p, 0, value, from, to);
  });
}

void fill(std::size_t element_bytes, std::int64_t count, const void* value, void* output) {
  with_element(element_bytes, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    T element;
    std::memcpy(&element, value, sizeof element);
    std::fill_n(static_cast<T*>(output), count, element);
  });
}

void depth_to_space(std::size_t element_bytes, Dims dims, std::int64_t block, DepthToSpaceMode mode,
                    const void* input, void* output) {
  assert(dims.size() == 4 && dims[1] % (block * block) == 0);
  const std::int64_t channels = dims[1] / (block * block), height = dims[2], width = dims[3];
  const std::int64_t area = height * width;
  // The input's channel axis is (by, bx, channel) in DCR order and (channel, by, bx) in CRD order.
  const bool depth_first = mode == DepthToSpaceMode::kDcr;
  const std::int64_t channel_stride = depth_first ? area : area * block * block;
  const std::int64_t x_stride = depth_first ? area * channels : area;
  Walk walk;
  walk.push(dims[0], dims[1] * area);
  walk.push(channels, channel_stride);
  walk.push(height, width);
  walk.push(block, x_stride * block);
  walk.push(width, 1);
  walk.push(block, x_stride);
  run_bytes(element_bytes, walk, input, output);
}

void space_to_depth(std::size_t element_bytes, Dims dims, std::int64_t block, const void* input,
                    void* output) {
  assert(dims.size() == 4 && dims[2] % block == 0 && dims[3] % block == 0);
  const std::int64_t height = dims[2] / block, width = dims[3] / block, row = dims[3],
                     area = dims[2] * dims[3];
  Walk walk;
  walk.push(dims[0], dims[1] * area);
  walk.push(block, row);
  walk.push(block, 1);
  walk.push(dims[1], area);
  walk.push(height, row * block);
  walk.push(width, block);
  run_bytes(element_bytes, walk, input, output);
}

}  // namespace sluice::kernels
