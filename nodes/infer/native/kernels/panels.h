#pragma once

#include "sluice/nodes/infer/native/kernels/aligned.h"
#include "sluice/nodes/infer/native/kernels/simd.h"

#include <cstdint>
#include <vector>

namespace sluice::kernels {

// The right-hand side of a product, laid out for SimdKernels::product: panels of one to kMaxVectors
// vectors of columns, each [depth][lanes of its vectors] (of pairs in bf16), missing columns being
// zeros. A few columns too many for whole vectors take half a one. Owns: the weights and the bias.
// Threads: immutable once filled, thread-safe.
class Panels {
 public:
  struct Panel {
    std::int64_t first_column = 0;
    int columns = 0;
    int vectors = 1;
    bool ends_in_half = false;  // the last vector has half the lanes
    std::int64_t offset = 0;    // floats from the first panel's weights
  };

  Panels() = default;
  // All zeros.
  // REQUIRES: for kBf16, an even depth, and kernels that have it.
  Panels(const SimdKernels& simd, Precision precision, std::int64_t depth, std::int64_t columns);

  void set(std::int64_t k, std::int64_t column, float weight);
  // `bias`: [columns] or null, copied.
  void set_bias(const float* bias);

  Precision precision() const { return precision_; }
  std::int64_t depth() const { return depth_; }
  std::int64_t columns() const { return columns_; }
  const std::vector<Panel>& panels() const { return panels_; }
  std::int64_t weight_bytes() const;

  // The part of a tile that a panel decides: weights, vectors, columns and bias.
  void apply(const Panel& panel, ProductTile& tile) const;
  // The rows of a tile over one panel: rows of equal size as far as they go, so that none is nearly
  // empty. REQUIRES: left > 0.
  int rows(const Panel& panel, std::int64_t left) const;
  // The bytes of the weights of the widest panel.
  std::int64_t panel_bytes() const;

 private:
  std::int64_t width(const Panel& panel) const;

  const SimdKernels* simd_ = nullptr;
  Precision precision_ = Precision::kFp32;
  std::int64_t depth_ = 0, columns_ = 0;
  std::vector<Panel> panels_;
  AlignedFloats weights_, bias_;
};

}  // namespace sluice::kernels
