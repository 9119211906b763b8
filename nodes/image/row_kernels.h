#pragma once

#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/kernels/target.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

// What scaling, colours and layout do with one row of pixels, for each instruction set. All of them
// give the same, to the bit. Pixels are interleaved bytes unless said otherwise.
// Threads: all functions may be called at once.
namespace sluice {

// The two source positions that make a target position, and their weights in 1 / 2048. The second
// is the position after the first, or has no weight.
struct BilinearTap {
  int first;
  int second;
  std::int16_t first_weight;
  std::int16_t second_weight;
};

// Which source positions make each target position, and with what weight, in 1 / 2^22.
struct FilterTaps {
  struct Window {
    int begin;
    int count;
  };
  std::span<const Window> windows;  // one for each target position
  const std::int32_t* weights;      // of the first target position
  std::size_t stride;               // from the weights of one target position to those of the next

  const std::int32_t* of(std::size_t target) const { return weights + target * stride; }
};

// A byte becomes byte * factor + bias.
struct ByteScale {
  float factor;
  float bias;
};

// How the pixels of a row become numbers of a tensor: `planes` of them for each pixel, `step` apart
// from one pixel to the next.
struct RowTarget {
  int planes = 3;                    // 1 or 3
  std::array<float*, 3> to{};        // where the first number of each plane goes
  std::ptrdiff_t step = 1;           // 1: planar; `planes`: interleaved
  std::array<int, 3> from{0, 1, 2};  // the channel that makes each plane
  bool mixes_grey = false;           // the one plane is 0.299 red + 0.587 green + 0.114 blue
  std::array<ByteScale, 3> scales{};
};

// How colours at half the size are brought to full: libjpeg's "fancy" triangle filter.
enum class ChromaSize : std::uint8_t { kFull, kHalfWidth, kHalfBoth };

// A row of a JPEG's samples. Of colours, the row that is nearest and the next nearest, which is the
// same row but for kHalfBoth. REQUIRES, with less than full colours: more than two of them a row.
struct YccRow {
  const std::uint8_t* y;
  std::array<const std::uint8_t*, 2> cb;
  std::array<const std::uint8_t*, 2> cr;
  ChromaSize size;
  int width;         // of y
  int chroma_width;  // of cb and cr
};
// Bytes that must be readable behind the end of every row of a YccRow, for whole vectors.
inline constexpr int kYccSlackBytes = 64;

struct RowKernels {
  // Scales a row's columns: gives `taps.size()` pixels, in 1 / 128 of a byte's steps. `target` has
  // room for four numbers more. `source_bytes`: of the row; beyond them nothing is read.
  void (*blend_columns)(const std::uint8_t* source, int source_bytes, int channels,
                        std::span<const BilinearTap> taps, std::int16_t* target);
  // Makes bytes of two such rows.
  void (*blend_rows)(const std::int16_t* first, const std::int16_t* second, const BilinearTap& tap,
                     int count, std::uint8_t* target);
  // The same by a filter of any width, rounded to bytes after each direction. `source_bytes` as
  // above; `rows` has the first of the `count` rows at [0].
  void (*filter_columns)(const std::uint8_t* source, int source_bytes, int channels,
                         const FilterTaps& taps, std::uint8_t* target);
  void (*filter_rows)(std::span<const std::uint8_t* const> rows, const std::int32_t* weights,
                      int count, std::uint8_t* target);
  void (*normalize)(const std::uint8_t* pixels, int channels, int count, const RowTarget& target);
  // As libjpeg does it: `row.width` pixels of red, green, blue and 255. `target` has room for
  // kYccSlackBytes more, and `scratch` for two rows of `row.width` + kYccSlackBytes.
  void (*ycc_to_rgbx)(const YccRow& row, std::uint8_t* scratch, std::uint8_t* target);
};

// REQUIRES: the CPU has `isa`.
const RowKernels& row_kernels(kernels::Isa isa = kernels::isa());

#if SLUICE_HAVE_AVX2
extern const RowKernels kAvx2RowKernels;  // for row_kernels
#endif

}  // namespace sluice
