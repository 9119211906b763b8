#include "sluice/nodes/infer/native/kernels/conv_plan.h"
#include "sluice/nodes/infer/native/kernels/tile.h"
#include "sluice/nodes/infer/native/kernels/vector_math.h"

#include <algorithm>
#include <cassert>

namespace sluice::kernels {
namespace {

// A band of output rows and the padded copy of the input under it, column phases (x mod stride)
// apart.
struct Band {
  std::int64_t rows = 0;   // output rows at a time
  std::int64_t phase = 0;  // floats of one phase
  std::int64_t pitch = 0;  // floats from an input row to the next
  std::int64_t input_rows = 0;
};

constexpr int kBlockRows = 4;
constexpr int kBlockColumns = 16;

Band choose_band(const ConvPlan& plan, std::int64_t out_height, std::int64_t out_width) {
  constexpr std::int64_t kFloats = 48 * 1024;
  const ConvParams& p = plan.params;
  Band band;
  const std::int64_t padded = (out_width + kBlockColumns - 1) / kBlockColumns * kBlockColumns;
  band.phase = (padded + (p.kernel_w - 1) * p.dilation_w / p.stride_w + 1 + 7) / 8 * 8;
  band.pitch = band.phase * p.stride_w;
  const std::int64_t span = (p.kernel_h - 1) * p.dilation_h + 1;
  const std::int64_t fitting = (kFloats / band.pitch - span) / p.stride_h + 1;
  band.rows =
      std::min(out_height, std::max<std::int64_t>(kBlockRows, fitting / kBlockRows * kBlockRows));
  band.input_rows = (band.rows - 1) * p.stride_h + span;
  return band;
}

// Fills `input_rows` rows of the padded copy, the first of them the input's row `top` (which may be
// outside).
void load_band(const ConvParams& p, const ConvImage& image, const Band& band, const float* plane,
               std::int64_t top, std::int64_t input_rows, float* copy) {
  for (std::int64_t r = 0; r < input_rows; ++r) {
    const std::int64_t y = top + r;
    float* to = copy + r * band.pitch;
    if (y < 0 || y >= image.height) {
      std::fill_n(to, band.pitch, 0.0f);
      continue;
    }
    for (std::int64_t f = 0; f < p.stride_w; ++f, to += band.phase) {
      const std::int64_t stride = p.stride_w, start = f - p.pad_left;
      const std::int64_t first =
          std::clamp<std::int64_t>(start >= 0 ? 0 : (-start + stride - 1) / stride, 0, band.phase);
      const std::int64_t end = std::clamp<std::int64_t>(
          image.width > start ? (image.width - start + stride - 1) / stride : 0, first, band.phase);
      const float* from = plane + y * image.width + start;
      std::fill_n(to, first, 0.0f);
      if (stride == 1) {
        std::copy(from + first, from + end, to + first);
      } else if (stride == 2) {
        for (std::int64_t i = first; i < end; ++i) to[i] = from[2 * i];
      } else {
        for (std::int64_t i = first; i < end; ++i) to[i] = from[stride * i];
      }
      std::fill_n(to + end, band.phase - end, 0.0f);
    }
  }
}

// One block of kRows x 16 outputs of one channel.
struct BlockCall {
  const float* copy = nullptr;     // the padded input under the block's first output
  const float* weights = nullptr;  // [kernel_h, kernel_w]
  float bias = 0.0f;
  const Epilogue* epilogue = nullptr;
  const float* residual = nullptr;  // of the block's first output, or null; may be the output
  float* output = nullptr;
  std::int64_t out_width = 0;
  int columns = kBlockColumns;  // to store
};

#if SLUICE_HAVE_AVX2
template <int kRows>
SLUICE_AVX2_INLINE void store_block(const BlockCall& call, __m256 (&acc)[kRows][2]) {
  const ClampRange range = clamp_range(call.epilogue->activation);
  const __m256i mask0 = avx2::lane_mask(call.columns), mask1 = avx2::lane_mask(call.columns - 8);
  alignas(32) float values[kRows * kBlockColumns];
  if (range.is_clamp) {
    const __m256 low = _mm256_set1_ps(range.low), high = _mm256_set1_ps(range.high);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      acc[r][0] = avx2::clamp(acc[r][0], low, high);
      acc[r][1] = avx2::clamp(acc[r][1], low, high);
    }
  }
  if (range.is_clamp && call.residual == nullptr && call.columns >= kBlockColumns) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      _mm256_storeu_ps(call.output + r * call.out_width, acc[r][0]);
      _mm256_storeu_ps(call.output + r * call.out_width + 8, acc[r][1]);
    }
    return;
  }

#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    _mm256_store_ps(values + r * kBlockColumns, acc[r][0]);
    _mm256_store_ps(values + r * kBlockColumns + 8, acc[r][1]);
  }
  if (!range.is_clamp) activate_avx2(call.epilogue->activation, 2 * kRows, values);
  if (call.residual != nullptr) {
    for (int r = 0; r < kRows; ++r) {
      const float* from = call.residual + r * call.out_width;
      float* to = values + r * kBlockColumns;
      _mm256_store_ps(to, _mm256_add_ps(_mm256_load_ps(to), _mm256_maskload_ps(from, mask0)));
      _mm256_store_ps(to + 8,
                      _mm256_add_ps(_mm256_load_ps(to + 8), _mm256_maskload_ps(from + 8, mask1)));
    }
    activate_avx2(call.epilogue->after, 2 * kRows, values);
  }
  for (int r = 0; r < kRows; ++r) {
    _mm256_maskstore_ps(call.output + r * call.out_width, mask0,
                        _mm256_load_ps(values + r * kBlockColumns));
    _mm256_maskstore_ps(call.output + r * call.out_width + 8, mask1,
                        _mm256_load_ps(values + r * kBlockColumns + 8));
  }
}

// Stride 1, dilation 1: an input row is loaded once for all the output rows it touches.
template <int kRows, int kSize>
SLUICE_AVX2 void run_square(const BlockCall& call, std::int64_t pitch) {
  __m256 acc[kRows][2];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm256_set1_ps(call.bias);
#pragma GCC unroll 16
  for (int row = 0; row < kRows + kSize - 1; ++row) {
    const float* from = call.copy + row * pitch;
#pragma GCC unroll 8
    for (int x = 0; x < kSize; ++x) {
      const __m256 v0 = _mm256_loadu_ps(from + x), v1 = _mm256_loadu_ps(from + x + 8);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const int y = row - r;
        if (y < 0 || y >= kSize) continue;
        const __m256 w = _mm256_broadcast_ss(call.weights + y * kSize + x);
        acc[r][0] = _mm256_fmadd_ps(w, v0, acc[r][0]);
        acc[r][1] = _mm256_fmadd_ps(w, v1, acc[r][1]);
      }
    }
  }
  store_block<kRows>(call, acc);
}

template <int kRows>
SLUICE_AVX2 void run_any(const ConvParams& p, const BlockCall& call, const Band& band) {
  __m256 acc[kRows][2];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = _mm256_set1_ps(call.bias);
  const std::int64_t down = p.stride_h * band.pitch;
  for (std::int64_t y = 0; y < p.kernel_h; ++y) {
    for (std::int64_t x = 0; x < p.kernel_w; ++x) {
      const __m256 w = _mm256_broadcast_ss(call.weights + y * p.kernel_w + x);
      const std::int64_t column = x * p.dilation_w;
      const float* from = call.copy + y * p.dilation_h * band.pitch +
                          column % p.stride_w * band.phase + column / p.stride_w;
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        acc[r][0] = _mm256_fmadd_ps(w, _mm256_loadu_ps(from + r * down), acc[r][0]);
        acc[r][1] = _mm256_fmadd_ps(w, _mm256_loadu_ps(from + r * down + 8), acc[r][1]);
      }
    }
  }
  store_block<kRows>(call, acc);
}

template <int kRows>
void run_block(const ConvParams& p, const BlockCall& call, const Band& band) {
  const bool square = p.kernel_h == p.kernel_w && p.stride_h == 1 && p.stride_w == 1 &&
                      p.dilation_h == 1 && p.dilation_w == 1;
  if (square && p.kernel_h == 3) return run_square<kRows, 3>(call, band.pitch);
  if (square && p.kernel_h == 5) return run_square<kRows, 5>(call, band.pitch);
  if (square && p.kernel_h == 7) return run_square<kRows, 7>(call, band.pitch);
  run_any<kRows>(p, call, band);
}
#else
template <int kRows>
void run_block(const ConvParams&, const BlockCall&, const Band&) {
  assert(false);
}
#endif

// `count` output rows of one channel, from the padded copy.
void run_band(const ConvPlan& plan, const Band& band, const float* copy, std::int64_t count,
              const BlockCall& first) {
  BlockCall call = first;
  for (std::int64_t row = 0; row < count;) {
    const bool full = count - row >= kBlockRows;
    for (std::int64_t x = 0; x < first.out_width; x += kBlockColumns) {
      call.copy = copy + row * plan.params.stride_h * band.pitch + x;
      call.output = first.output + row * first.out_width + x;
      call.residual =
          first.residual == nullptr ? nullptr : first.residual + row * first.out_width + x;
      call.columns = static_cast<int>(std::min<std::int64_t>(kBlockColumns, first.out_width - x));
      full ? run_block<kBlockRows>(plan.params, call, band) : run_block<1>(plan.params, call, band);
    }
    row += full ? kBlockRows : 1;
  }
}

}  // namespace

std::size_t conv_depthwise_scratch(const ConvPlan& plan, std::int64_t height, std::int64_t width) {
  const Band band = choose_band(plan, plan.params.out_height(height), plan.params.out_width(width));
  return static_cast<std::size_t>(band.input_rows * band.pitch) * sizeof(float);
}

void conv_depthwise(const ConvPlan& plan, const ConvImage& image) {
  const ConvParams& p = plan.params;
  const Band band = choose_band(plan, image.out_height, image.out_width);
  const std::int64_t out_area = image.out_height * image.out_width;
  float* copy = reinterpret_cast<float*>(image.scratch);
  BlockCall call;
  call.out_width = image.out_width;
  call.epilogue = &plan.epilogue;
  for (std::int64_t channel = 0; channel < p.in_channels; ++channel) {
    const float* plane = image.input + channel * image.height * image.width;
    for (std::int64_t top = 0; top < image.out_height; top += band.rows) {
      const std::int64_t count = std::min(band.rows, image.out_height - top);
      const std::int64_t input_rows =
          (count - 1) * p.stride_h + (p.kernel_h - 1) * p.dilation_h + 1;
      load_band(p, image, band, plane, top * p.stride_h - p.pad_top, input_rows, copy);
      for (std::int64_t m = 0; m < plan.group_outputs(); ++m) {
        const std::int64_t out_channel = channel * plan.group_outputs() + m;
        const std::int64_t at = out_channel * out_area + top * image.out_width;
        call.weights = plan.weights.data() + out_channel * plan.window();
        call.bias = plan.bias.data()[out_channel];
        call.output = image.output + at;
        call.residual = image.residual == nullptr ? nullptr : image.residual + at;
        run_band(plan, band, copy, count, call);
      }
    }
  }
}

}  // namespace sluice::kernels
