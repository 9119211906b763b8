#include "sluice/nodes/infer/native/kernels/gemm.h"

#include "sluice/nodes/infer/native/kernels/aligned.h"
#include "sluice/nodes/infer/native/kernels/broadcast.h"
#include "sluice/nodes/infer/native/kernels/conv.h"
#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/kernels/elementwise.h"
#include "sluice/nodes/infer/native/kernels/tile.h"

#include <cblas.h>

#include <algorithm>
#include <array>
#include <cassert>

namespace sluice::kernels {
namespace {

// Y = beta * bias, which sgemm then adds to.
void spread_bias(const GemmParams& p, const float* c, float* y) {
  for (std::int64_t row = 0; row < p.m; ++row) {
    float* to = y + row * p.n;
    switch (p.bias) {
      case GemmBias::kNone:
        return;
      case GemmBias::kScalar:
        std::fill_n(to, p.n, p.beta * c[0]);
        break;
      case GemmBias::kPerRow:
        std::fill_n(to, p.n, p.beta * c[row]);
        break;
      case GemmBias::kPerColumn:
        for (std::int64_t i = 0; i < p.n; ++i) to[i] = p.beta * c[i];
        break;
      case GemmBias::kFull:
        for (std::int64_t i = 0; i < p.n; ++i) to[i] = p.beta * c[row * p.n + i];
        break;
    }
  }
}

}  // namespace

void gemm(const GemmParams& p, const float* a, const float* b, const float* c, float* y) {
  init_blas();
  if (p.m == 0 || p.n == 0) return;
  spread_bias(p, c, y);
  const float keep = p.bias == GemmBias::kNone ? 0.0f : 1.0f;
  const auto m = static_cast<int>(p.m), n = static_cast<int>(p.n), k = static_cast<int>(p.k);
  if (k == 0) {
    if (keep == 0.0f) std::fill_n(y, p.m * p.n, 0.0f);
  } else {
    cblas_sgemm(CblasRowMajor, p.transpose_a ? CblasTrans : CblasNoTrans,
                p.transpose_b ? CblasTrans : CblasNoTrans, m, n, k, p.alpha, a,
                p.transpose_a ? m : k, b, p.transpose_b ? k : n, keep, y, n);
  }
  apply(p.activation, p.m * p.n, y, y);
}

struct PackedGemm::Impl {
  std::int64_t k = 0, n = 0;
  Epilogue epilogue;
  // With AVX2 panels of kTileColumns columns, [panel][k][kTileColumns], zeros at the end; else
  // [k][n].
  AlignedFloats b;
  AlignedFloats bias;  // [n rounded up to whole panels], zeros where there is none
};

namespace {

std::int64_t panels_of(std::int64_t n) { return (n + kTileColumns - 1) / kTileColumns; }

}  // namespace

PackedGemm::PackedGemm(std::int64_t k, std::int64_t n, Layout layout, const float* b,
                       const float* bias, const Activation& activation) {
  auto impl = std::make_unique<Impl>();
  impl->k = k;
  impl->n = n;
  impl->epilogue.activation = activation;
  impl->b = AlignedFloats(panels_of(n) * kTileColumns * k);
  impl->bias = AlignedFloats(panels_of(n) * kTileColumns);
  if (bias != nullptr) std::copy_n(bias, n, impl->bias.data());
  const std::int64_t k_step = layout == Layout::kKByN ? n : 1,
                     n_step = layout == Layout::kKByN ? 1 : k;
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      const std::int64_t at = isa() >= Isa::kAvx2
                                  ? (j / kTileColumns * k + i) * kTileColumns + j % kTileColumns
                                  : i * n + j;
      impl->b.data()[at] = b[i * k_step + j * n_step];
    }
  }
  impl_ = std::move(impl);
}

PackedGemm::~PackedGemm() = default;
PackedGemm::PackedGemm(PackedGemm&&) noexcept = default;
PackedGemm& PackedGemm::operator=(PackedGemm&&) noexcept = default;

std::int64_t PackedGemm::k() const { return impl_->k; }
std::int64_t PackedGemm::n() const { return impl_->n; }

std::size_t PackedGemm::scratch_bytes(std::int64_t m) const {
  return isa() >= Isa::kAvx2
             ? static_cast<std::size_t>(packed_rows_size(m, impl_->k)) * sizeof(float)
             : 0;
}

void PackedGemm::run(std::int64_t m, const float* a, const float* residual, float* y,
                     std::byte* scratch) const {
  const std::int64_t k = impl_->k, n = impl_->n;
  if (m == 0 || n == 0) return;
  if (isa() < Isa::kAvx2) {
    assert(residual != y);
    GemmParams params{.m = m,
                      .n = n,
                      .k = k,
                      .bias = GemmBias::kPerColumn,
                      .activation = impl_->epilogue.activation};
    gemm(params, a, impl_->b.data(), impl_->bias.data(), y);
    for (std::int64_t i = 0; residual != nullptr && i < m * n; ++i) y[i] += residual[i];
    return;
  }

  constexpr std::int64_t kDepthBlock = 512;
  float* rows = reinterpret_cast<float*>(scratch);
  pack_rows({a, m, k, k, 1}, rows);
  Tile tile;
  tile.b_step = kTileColumns;
  tile.c_step = n;
  tile.residual_step = n;
  tile.epilogue = &impl_->epilogue;
  // A product over nothing is still the bias.
  for (std::int64_t start = 0; start == 0 || start < k; start += kDepthBlock) {
    tile.depth = std::min(kDepthBlock, k - start);
    tile.accumulate = start > 0;
    tile.finish = start + tile.depth == k;
    for (std::int64_t column = 0; column < n; column += kTileColumns) {
      tile.b = impl_->b.data() + column * k + start * kTileColumns;
      tile.columns = static_cast<int>(std::min<std::int64_t>(kTileColumns, n - column));
      tile.column_bias = impl_->bias.data() + column;
      for (std::int64_t row = 0; row < m; row += kTileRows) {
        tile.rows = static_cast<int>(std::min<std::int64_t>(kTileRows, m - row));
        tile.a = rows + row * k + start * kTileRows;
        tile.c = y + row * n + column;
        tile.residual = residual == nullptr ? nullptr : residual + row * n + column;
        run_tile_avx2(tile);
      }
    }
  }
}

namespace {

// The leading axes and the two of the product, with numpy's rule for vectors: a row before, a
// column after.
struct Operand {
  Dims batch;
  std::int64_t rows, columns;
};

Operand left(Dims dims) {
  if (dims.size() == 1) return {{}, 1, dims[0]};
  return {dims.first(dims.size() - 2), dims[dims.size() - 2], dims.back()};
}

Operand right(Dims dims) {
  if (dims.size() == 1) return {{}, dims[0], 1};
  return {dims.first(dims.size() - 2), dims[dims.size() - 2], dims.back()};
}

}  // namespace

void matmul(const MatMulParams& params, const float* a, const float* b, float* y) {
  const Operand x = left(params.a_dims), w = right(params.b_dims);
  assert(x.columns == w.rows);
  GemmParams product{.m = x.rows, .n = w.columns, .k = x.columns, .activation = params.activation};
  product.bias = params.bias == nullptr ? GemmBias::kNone : GemmBias::kPerColumn;
  if (element_count(w.batch) == 1) {
    product.m *= element_count(x.batch);
    return gemm(product, a, b, params.bias, y);
  }

  std::array<std::int64_t, kMaxRank> out{};
  const std::size_t rank = std::max(x.batch.size(), w.batch.size());
  for (std::size_t back = 1; back <= rank; ++back) {
    const std::int64_t p = back <= x.batch.size() ? x.batch[x.batch.size() - back] : 1;
    const std::int64_t q = back <= w.batch.size() ? w.batch[w.batch.size() - back] : 1;
    out[rank - back] = p == 1 ? q : p;
  }
  const Broadcast<2> walk(Dims(out.data(), rank), {x.batch, w.batch});
  const std::size_t inner = walk.rank - 1;
  const std::int64_t a_size = x.rows * x.columns, b_size = w.rows * w.columns;
  walk.for_each_row([&](const std::array<std::int64_t, 2>& offsets) {
    for (std::int64_t i = 0; i < walk.inner(); ++i) {
      gemm(product, a + (offsets[0] + i * walk.strides[0][inner]) * a_size,
           b + (offsets[1] + i * walk.strides[1][inner]) * b_size, params.bias, y);
      y += x.rows * w.columns;
    }
  });
}

}  // namespace sluice::kernels
