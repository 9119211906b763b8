#include "sluice/nodes/infer/native/kernels/panels.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace sluice::kernels {

Panels::Panels(const SimdKernels& simd, Precision precision, std::int64_t depth,
               std::int64_t columns)
    : simd_(&simd), precision_(precision), depth_(depth), columns_(columns) {
  assert(precision == Precision::kFp32 || (depth % 2 == 0 && simd.product_bf16 != nullptr));
  const std::int64_t words = precision == Precision::kBf16 ? depth / 2 : depth;
  const std::int64_t lanes = simd.lanes;
  const std::int64_t vectors = (columns + lanes - 1) / lanes;
  const std::int64_t count = (vectors + kMaxVectors - 1) / kMaxVectors;
  std::int64_t vector = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    // As even as can be: a narrow panel reads its input as often as a wide one.
    const std::int64_t next = vectors * (i + 1) / count;
    Panel panel;
    panel.first_column = vector * lanes;
    panel.vectors = static_cast<int>(next - vector);
    panel.columns = static_cast<int>(std::min(next * lanes, columns) - panel.first_column);
    panel.ends_in_half = panel.columns <= (panel.vectors - 1) * lanes + lanes / 2;
    panel.offset = vector * lanes * words;
    panels_.push_back(panel);
    vector = next;
  }
  weights_ = AlignedFloats(vectors * lanes * words);
  bias_ = AlignedFloats(vectors * lanes);
}

std::int64_t Panels::width(const Panel& panel) const {
  return panel.vectors * simd_->lanes - (panel.ends_in_half ? simd_->lanes / 2 : 0);
}

void Panels::set(std::int64_t k, std::int64_t column, float weight) {
  const auto after = std::upper_bound(
      panels_.begin(), panels_.end(), column,
      [](std::int64_t value, const Panel& panel) { return value < panel.first_column; });
  const Panel& panel = *(after - 1);
  const std::int64_t width = this->width(panel);
  const std::int64_t at = column - panel.first_column;
  if (precision_ == Precision::kFp32) {
    weights_.data()[panel.offset + k * width + at] = weight;
    return;
  }
  const std::uint16_t half = to_bf16(weight);
  auto* pair = reinterpret_cast<std::byte*>(weights_.data() + panel.offset + k / 2 * width + at);
  std::memcpy(pair + k % 2 * 2, &half, sizeof half);
}

void Panels::set_bias(const float* bias) {
  if (bias != nullptr) std::copy_n(bias, columns_, bias_.data());
}

std::int64_t Panels::weight_bytes() const {
  return depth_ * columns_ * (precision_ == Precision::kBf16 ? 2 : 4);
}

std::int64_t Panels::panel_bytes() const {
  std::int64_t widest = 0;
  for (const Panel& panel : panels_) widest = std::max<std::int64_t>(widest, panel.vectors);
  return widest * simd_->lanes * depth_ * (precision_ == Precision::kBf16 ? 2 : 4);
}

void Panels::apply(const Panel& panel, ProductTile& tile) const {
  tile.weights = weights_.data() + panel.offset;
  tile.vectors = panel.vectors;
  tile.ends_in_half = panel.ends_in_half;
  tile.columns = panel.columns;
  tile.to.bias = bias_.data() + panel.first_column;
}

int Panels::rows(const Panel& panel, std::int64_t left) const {
  const std::int64_t most = simd_->max_rows[panel.vectors];
  const std::int64_t tiles = (left + most - 1) / most;
  return static_cast<int>((left + tiles - 1) / tiles);
}

}  // namespace sluice::kernels
