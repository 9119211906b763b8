#pragma once

#include "sluice/nodes/infer/native/kernels/conv.h"
#include "sluice/nodes/infer/native/kernels/cpu.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>

// Inner loops over channels-last images, [height, width, channels], compiled once an instruction
// set (simd/). What is above them is portable and calls them through a table.
namespace sluice::kernels {

// Of the operands of products, which are added up in fp32 always, and of what lies in memory.
enum class Precision : std::uint8_t { kFp32, kBf16 };

// The bits of the bf16 nearest to a number, of two equally near the even one.
std::uint16_t to_bf16(float x);

// Pixels of an image, which may be some of the channels of a larger one. Borrowed.
template <class Byte>
struct PixelsOf {
  Byte* data = nullptr;                    // null for none
  std::int64_t step = 0;                   // elements from a pixel to the next
  Precision precision = Precision::kFp32;  // of the elements

  explicit operator bool() const { return data != nullptr; }
  bool is_bf16() const { return precision == Precision::kBf16; }
  // So many elements further on; none stay none.
  void advance(std::int64_t elements) {
    if (data != nullptr) data += elements * (is_bf16() ? 2 : 4);
  }
  PixelsOf from(std::int64_t elements) const {
    PixelsOf rest = *this;
    rest.advance(elements);
    return rest;
  }
  PixelsOf from_pixel(std::int64_t pixels) const { return from(pixels * step); }
  // REQUIRES: kFp32.
  auto floats() const {
    using Float = std::conditional_t<std::is_const_v<Byte>, const float, float>;
    return reinterpret_cast<Float*>(data);
  }
};
using InputPixels = PixelsOf<const std::byte>;
using OutputPixels = PixelsOf<std::byte>;

inline InputPixels pixels_of(const float* data, std::int64_t step) {
  return {reinterpret_cast<const std::byte*>(data), step, Precision::kFp32};
}
inline OutputPixels pixels_of(float* data, std::int64_t step) {
  return {reinterpret_cast<std::byte*>(data), step, Precision::kFp32};
}

// Where up to a few pixels' results go: y = after(activation(sum + bias) + residual).
struct TileOutput {
  OutputPixels output;
  InputPixels residual;
  const float* bias = nullptr;  // readable to a multiple of the lanes
  const Epilogue* epilogue = nullptr;

  // So many pixels, and channels, further on. In place, as copies made on the way to a tile would
  // cost as much as a small tile.
  void advance(std::int64_t pixels, std::int64_t channels) {
    output.advance(pixels * output.step + channels);
    residual.advance(pixels * residual.step + channels);
  }
};

// A tile of a matrix product, `rows` pixels by `columns` output channels:
//   sum[r][c] = sum over s, k of segments[s][r * step + k] * weights[s, k][c]
// In bf16 what is a float of the operands is a pair, its first half in the low bits, so that the
// run and the step count pairs. A 1x1 convolution has one segment. A kh x kw one has kh of kw *
// channels floats, as the taps of a row lie side by side.
struct ProductTile {
  const float* const* segments = nullptr;
  std::int64_t segment_count = 1;
  std::int64_t run = 0;  // floats of a segment
  std::int64_t step = 0;
  const float* weights = nullptr;  // [segment_count * run][lanes of the vectors]
  int rows = 1;                    // 1..max_rows[vectors]
  int vectors = 1;                 // 1..kMaxVectors
  bool ends_in_half = false;       // the last vector has half the lanes
  int columns = 1;                 // more than the vectors before the last have, no more than all
  TileOutput to;
};

// A row of a depthwise convolution, every channel on its own.
struct DepthwiseRow {
  const std::byte* const* rows =
      nullptr;            // of the input, one a kernel row; null above and below it
  std::int64_t step = 0;  // elements from a pixel of it to the next
  Precision precision = Precision::kFp32;  // of the input
  std::int64_t width = 0, out_width = 0, channels = 0;
  std::int64_t kernel_h = 1, kernel_w = 1, stride_w = 1, dilation_w = 1, pad_left = 0;
  const float* weights = nullptr;  // [kernel_h * kernel_w][channels rounded up to the lanes]
  TileOutput to;
};

// A row of windows, of each channel the largest or the mean.
struct PoolRow {
  const std::byte* const* rows = nullptr;  // of the input; null above and below it
  std::int64_t step = 0;
  std::int64_t width = 0, out_width = 0, channels = 0;
  std::int64_t kernel_h = 1, kernel_w = 1, stride_w = 1, dilation_w = 1, pad_left = 0;
  const float* scale =
      nullptr;          // means: 1 / the pixels counted, one an output pixel; null: largest
  OutputPixels output;  // as precise as the input
};

// A patch of 6 x 6 pixels of the input of Winograd's F(4x4, 3x3), to be transformed into the
// operands of 36 products.
struct WinogradInput {
  const std::byte* rows[6] = {};  // of the input; null above and below it
  std::int64_t step = 0;
  Precision precision = Precision::kFp32;                  // of the input
  std::int64_t first_column = 0, width = 0, channels = 0;  // columns outside [0, width) are zeros
  float* to = nullptr;
  std::int64_t product_step = 0;  // floats from a product's operand to the next one's
};

// A tile of up to 4 x 4 pixels, from 36 products.
struct WinogradOutput {
  const float* from = nullptr;  // readable to a multiple of the lanes
  std::int64_t product_step = 0;
  std::int64_t channels = 0;
  int rows = 4, columns = 4;    // as far as they are there
  std::int64_t row_pixels = 0;  // from a row of the image to the next
  TileOutput to;
};

// y = activation(scale * x + shift), one pair a channel.
struct ScaledPixels {
  std::int64_t count = 0, channels = 0;
  const float* input = nullptr;
  std::int64_t input_step = 0;
  const float* scale = nullptr;  // [channels], as is shift
  const float* shift = nullptr;
  float* output = nullptr;  // [count, channels]; may be the input, given equal steps
  Activation activation;
};

// y = x / (bias + factor * sum of squares over the channels around) ^ 0.75
struct LrnPixels {
  std::int64_t count = 0, channels = 0;
  std::int64_t before = 0, after = 0;  // channels around each
  float factor = 0.0f, bias = 1.0f;
  const float* input = nullptr;  // [count, channels], as is the output
  float* output = nullptr;       // not the input
  float* squares = nullptr;      // scratch, [before + channels + after + lanes]
};

inline constexpr int kMaxVectors = 4;

struct SimdKernels {
  const char* name;  // "avx512"
  int lanes;
  int max_rows[kMaxVectors + 1];  // of a product's tile, by its vectors
  void (*product)(const ProductTile& tile);
  // Both null where the CPU has no bf16; pixels are floats then.
  void (*product_bf16)(const ProductTile& tile);
  void (*round_to_bf16)(std::int64_t count, const float* from, std::uint16_t* to);
  void (*depthwise)(const DepthwiseRow& row);
  void (*pool)(const PoolRow& row);
  void (*winograd_input)(const WinogradInput& patch);
  void (*winograd_output)(const WinogradOutput& tile);
  // Adds `count` pixels of `channels` floats to `sums`, [channels].
  void (*add_pixels)(std::int64_t count, std::int64_t channels, const InputPixels& input,
                     float* sums);
  void (*scale)(const ScaledPixels& pixels);
  void (*lrn)(const LrnPixels& pixels);
  // x = activation(x)
  void (*activate)(const Activation& activation, std::int64_t count, float* x);
  // From planes, [channels, plane], to pixels, [count, channels]; the first `count` of each.
  void (*interleave)(std::int64_t count, std::int64_t channels, const float* planes,
                     std::int64_t plane, float* pixels);
};

// Those of an instruction set; null for kPortable. REQUIRES: the CPU has it.
const SimdKernels* simd_kernels(Isa isa);

}  // namespace sluice::kernels
