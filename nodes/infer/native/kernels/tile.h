#pragma once

#include "sluice/nodes/infer/native/kernels/conv.h"

#include <cstdint>

// The register tile under every dense product: up to kTileRows rows of C by up to kTileColumns
// columns.
namespace sluice::kernels {

inline constexpr int kTileRows = 6;
inline constexpr int kTileColumns = 16;

// C[r][c] (+)= sum over k of A[k][r] * B(k)[c], then bias, activation and residual.
struct Tile {
  const float* a = nullptr;  // [depth][kTileRows], missing rows are zeros
  const float* b =
      nullptr;  // row k is at b + k * b_step, or at b + b_offsets[k] when that is not null
  std::int64_t b_step = 0;
  const std::int32_t* b_offsets = nullptr;
  std::int64_t depth = 0;
  float* c = nullptr;
  std::int64_t c_step = 0;  // floats from a row of C to the next
  int rows = kTileRows;     // 1..kTileRows
  int columns =
      kTileColumns;  // 1..kTileColumns are stored; rows of B can be read to a multiple of 8 columns
  bool accumulate = false;             // start from C's values rather than from the bias
  bool finish = true;                  // apply the epilogue
  const float* row_bias = nullptr;     // [rows] or null
  const float* column_bias = nullptr;  // [columns, readable to a multiple of 8] or null
  const float* residual = nullptr;     // the element that belongs to *c, or null
  std::int64_t residual_step = 0;      // floats from a row of the residual to the next
  const Epilogue* epilogue = nullptr;  // REQUIRES: not null when finish is set
};

// REQUIRES: isa() >= Isa::kAvx2.
void run_tile_avx2(const Tile& tile);

// Applies an activation to `vectors` times eight values, 32-byte aligned. REQUIRES: isa() >=
// Isa::kAvx2.
void activate_avx2(const Activation& activation, int vectors, float* values);

// The range that an activation clamps to, for those that are nothing but a clamp.
struct ClampRange {
  bool is_clamp;
  float low, high;
};
ClampRange clamp_range(const Activation& activation);

// Lays out rows x depth values as [rows / kTileRows][depth][kTileRows], zeros at the end.
// Element (r, k) is at source + r * row_step + k * depth_step.
struct PackRows {
  const float* source = nullptr;
  std::int64_t rows = 0, depth = 0, row_step = 0, depth_step = 0;
};
std::int64_t packed_rows_size(std::int64_t rows, std::int64_t depth);  // floats
void pack_rows(const PackRows& pack, float* packed);

}  // namespace sluice::kernels
