#include "sluice/nodes/infer/native/kernels/pool.h"

#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/kernels/target.h"

#include <algorithm>
#include <limits>

namespace sluice::kernels {
namespace {

// The taps of a window along one axis that fall inside the input: first, first + dilation, ...
// below end.
struct Taps {
  std::int64_t first = 0, end = 0;
};

Taps taps(std::int64_t out, std::int64_t stride, std::int64_t pad, std::int64_t dilation,
          std::int64_t kernel, std::int64_t extent) {
  const std::int64_t start = out * stride - pad;
  const std::int64_t skipped = start < 0 ? (-start + dilation - 1) / dilation : 0;
  return {start + skipped * dilation, std::min(extent, start + kernel * dilation)};
}

std::int64_t count(const Taps& t, std::int64_t dilation) {
  return t.end > t.first ? (t.end - t.first + dilation - 1) / dilation : 0;
}

// Output columns whose windows lie wholly inside the row.
Taps inner_columns(const PoolParams& p) {
  const std::int64_t first = (p.pad_left + p.stride_w - 1) / p.stride_w;
  const std::int64_t last_start = p.width - ((p.kernel_w - 1) * p.dilation_w + 1) + p.pad_left;
  const std::int64_t end = last_start < 0 ? 0 : last_start / p.stride_w + 1;
  const std::int64_t from = std::min(first, p.out_width);
  return {from, std::clamp(end, from, p.out_width)};
}

struct Larger {
  static float of(float a, float b) { return a > b ? a : b; }
};
struct Plus {
  static float of(float a, float b) { return a + b; }
};

// output[i] = Op over the taps, for `n` windows inside the rows; vectorised by the compiler.
template <class Op>
__attribute__((always_inline)) inline void combine(const PoolParams& p, const float* plane,
                                                   const Taps& rows, std::int64_t column,
                                                   std::int64_t n, float start, float* output) {
  std::fill_n(output, n, start);
  for (std::int64_t y = rows.first; y < rows.end; y += p.dilation_h) {
    for (std::int64_t kx = 0; kx < p.kernel_w; ++kx) {
      const float* from =
          plane + y * p.width + column * p.stride_w - p.pad_left + kx * p.dilation_w;
      if (p.stride_w == 1) {
        for (std::int64_t i = 0; i < n; ++i) output[i] = Op::of(from[i], output[i]);
      } else if (p.stride_w == 2) {
        for (std::int64_t i = 0; i < n; ++i) output[i] = Op::of(from[2 * i], output[i]);
      } else {
        for (std::int64_t i = 0; i < n; ++i) output[i] = Op::of(from[i * p.stride_w], output[i]);
      }
    }
  }
}

template <class Op>
void combine_portable(const PoolParams& p, const float* plane, const Taps& rows,
                      std::int64_t column, std::int64_t n, float start, float* output) {
  combine<Op>(p, plane, rows, column, n, start, output);
}

#if SLUICE_HAVE_AVX2
template <class Op>
SLUICE_AVX2 void combine_avx2(const PoolParams& p, const float* plane, const Taps& rows,
                              std::int64_t column, std::int64_t n, float start, float* output) {
  combine<Op>(p, plane, rows, column, n, start, output);
}
#endif

template <class Op>
void combine_columns(const PoolParams& p, const float* plane, const Taps& rows, const Taps& columns,
                     float start, float* output) {
  const std::int64_t n = columns.end - columns.first;
  if (n <= 0) return;
#if SLUICE_HAVE_AVX2
  if (isa() >= Isa::kAvx2) {
    return combine_avx2<Op>(p, plane, rows, columns.first, n, start, output + columns.first);
  }
#endif
  combine_portable<Op>(p, plane, rows, columns.first, n, start, output + columns.first);
}

template <class Op>
float window(const PoolParams& p, const float* plane, const Taps& rows, std::int64_t out_x,
             float start) {
  const Taps columns = taps(out_x, p.stride_w, p.pad_left, p.dilation_w, p.kernel_w, p.width);
  float value = start;
  for (std::int64_t y = rows.first; y < rows.end; y += p.dilation_h) {
    for (std::int64_t x = columns.first; x < columns.end; x += p.dilation_w)
      value = Op::of(plane[y * p.width + x], value);
  }
  return value;
}

template <class Op>
void pool_row(const PoolParams& p, const float* plane, const Taps& rows, float start,
              float* output) {
  const Taps inside = inner_columns(p);
  for (std::int64_t x = 0; x < inside.first; ++x) output[x] = window<Op>(p, plane, rows, x, start);
  combine_columns<Op>(p, plane, rows, inside, start, output);
  for (std::int64_t x = inside.end; x < p.out_width; ++x)
    output[x] = window<Op>(p, plane, rows, x, start);
}

// Flat index in the plane of the first maximum of a window, -1 for a window without a tap.
std::int64_t position(const PoolParams& p, const float* plane, const Taps& rows,
                      std::int64_t out_x) {
  const Taps columns = taps(out_x, p.stride_w, p.pad_left, p.dilation_w, p.kernel_w, p.width);
  std::int64_t best = -1;
  for (std::int64_t y = rows.first; y < rows.end; y += p.dilation_h) {
    for (std::int64_t x = columns.first; x < columns.end; x += p.dilation_w) {
      const std::int64_t at = y * p.width + x;
      if (best < 0 || plane[at] > plane[best]) best = at;
    }
  }
  return best;
}

// Taps of a window that fall inside the input and its padding.
std::int64_t padded_taps(std::int64_t out, std::int64_t stride, std::int64_t dilation,
                         std::int64_t kernel, std::int64_t padded_extent) {
  return count({out * stride, std::min(padded_extent, out * stride + kernel * dilation)}, dilation);
}

void average_row(const PoolParams& p, std::int64_t out_y, const Taps& rows, float* output) {
  const std::int64_t padded_height = p.height + p.pad_top + p.pad_bottom;
  const std::int64_t padded_width = p.width + p.pad_left + p.pad_right;
  for (std::int64_t x = 0; x < p.out_width; ++x) {
    std::int64_t taps_counted;
    if (p.count_include_pad) {
      taps_counted = padded_taps(out_y, p.stride_h, p.dilation_h, p.kernel_h, padded_height) *
                     padded_taps(x, p.stride_w, p.dilation_w, p.kernel_w, padded_width);
    } else {
      taps_counted =
          count(rows, p.dilation_h) *
          count(taps(x, p.stride_w, p.pad_left, p.dilation_w, p.kernel_w, p.width), p.dilation_w);
    }
    output[x] = taps_counted > 0 ? output[x] / static_cast<float>(taps_counted) : 0.0f;
  }
}

}  // namespace

void max_pool(const PoolParams& p, const float* input, float* output, std::int64_t* indices) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  for (std::int64_t plane = 0; plane < p.planes; ++plane) {
    const std::int64_t base = plane * p.height * p.width;
    for (std::int64_t y = 0; y < p.out_height; ++y) {
      const Taps rows = taps(y, p.stride_h, p.pad_top, p.dilation_h, p.kernel_h, p.height);
      pool_row<Larger>(p, input + base, rows, kLowest, output);
      output += p.out_width;
      for (std::int64_t x = 0; indices != nullptr && x < p.out_width; ++x) {
        const std::int64_t at = position(p, input + base, rows, x);
        *indices++ = at < 0 ? at : base + at;
      }
    }
  }
}

void average_pool(const PoolParams& p, const float* input, float* output) {
  for (std::int64_t plane = 0; plane < p.planes; ++plane, input += p.height * p.width) {
    for (std::int64_t y = 0; y < p.out_height; ++y, output += p.out_width) {
      const Taps rows = taps(y, p.stride_h, p.pad_top, p.dilation_h, p.kernel_h, p.height);
      pool_row<Plus>(p, input, rows, 0.0f, output);
      average_row(p, y, rows, output);
    }
  }
}

namespace {

// Sixteen partial results keep the compiler free to use vectors.
template <class Op>
float fold(std::int64_t n, const float* values, float start) {
  constexpr std::int64_t kLanes = 16;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, start);
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = Op::of(values[i + lane], lanes[lane]);
  }
  float result = start;
  for (float lane : lanes) result = Op::of(lane, result);
  for (; i < n; ++i) result = Op::of(values[i], result);
  return result;
}

// The mean of a page of some million values must not lose the digits of the last of them: a partial
// sum in float stays short, and the sum of those is in double.
float mean(std::int64_t n, const float* values) {
  constexpr std::int64_t kBlock = 4096;
  double total = 0;
  for (std::int64_t i = 0; i < n; i += kBlock) {
    total += static_cast<double>(fold<Plus>(std::min(kBlock, n - i), values + i, 0.0f));
  }
  return static_cast<float>(total / static_cast<double>(n));
}

}  // namespace

void global_average_pool(std::int64_t planes, std::int64_t area, const float* input,
                         float* output) {
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    output[plane] = mean(area, input + plane * area);
  }
}

void global_max_pool(std::int64_t planes, std::int64_t area, const float* input, float* output) {
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    output[plane] =
        fold<Larger>(area, input + plane * area, -std::numeric_limits<float>::infinity());
  }
}

}  // namespace sluice::kernels
