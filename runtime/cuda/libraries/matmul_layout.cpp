#include "sluice/runtime/cuda/libraries/matmul_layout.h"

#include "sluice/runtime/cuda/view.h"

#include <array>
#include <optional>
#include <utility>

namespace sluice::cuda {
namespace {

// One operand: matrices of rows x columns, all alike.
struct Matrices {
  std::int64_t batch = 1, rows = 1, columns = 1;
  std::int64_t batch_stride = 0, row_stride = 0, column_stride = 0;
};

// The dims before the last two as one. Nothing if they are not evenly apart.
std::optional<Matrices> matrices_of(const sluice_cuda_view& view) {
  if (view.rank < 2) return std::nullopt;
  Matrices all;
  for (int axis = 0; axis < view.rank - 2; ++axis) {
    const std::int64_t dim = view.dims[axis];
    if (dim == 1) continue;
    if (all.batch != 1 && all.batch_stride != dim * view.strides[axis]) return std::nullopt;
    all.batch *= dim;
    all.batch_stride = view.strides[axis];
  }
  all.rows = view.dims[view.rank - 2];
  all.columns = view.dims[view.rank - 1];
  all.row_stride = view.strides[view.rank - 2];
  all.column_stride = view.strides[view.rank - 1];
  return all;
}

void transpose(Matrices& matrices) {
  std::swap(matrices.rows, matrices.columns);
  std::swap(matrices.row_stride, matrices.column_stride);
}

// With rows of `columns` numbers side by side: that is a matrix of BLAS's with `columns` rows.
std::optional<BlasMatrix> by_rows(const Matrices& matrices) {
  if (matrices.columns != 1 && matrices.column_stride != 1) return std::nullopt;
  BlasMatrix blas;
  blas.rows = matrices.columns;
  blas.columns = matrices.rows;
  // The stride of a dim of 1 says nothing.
  blas.leading = matrices.rows == 1 ? matrices.columns : matrices.row_stride;
  if (blas.leading < blas.rows) return std::nullopt;
  blas.batch_stride = matrices.batch == 1 ? 0 : matrices.batch_stride;
  return blas;
}

// Either way round; taken transposed where the columns are what lies side by side.
std::optional<BlasMatrix> either_way(Matrices matrices) {
  if (auto blas = by_rows(matrices)) return blas;
  transpose(matrices);
  auto blas = by_rows(matrices);
  if (blas) blas->transposed = true;
  return blas;
}

bool rows_go_on(const Matrices& matrices) {
  return matrices.batch_stride == matrices.rows * matrices.row_stride;
}

void join_rows(Matrices& matrices) {
  matrices.rows *= std::exchange(matrices.batch, 1);
  matrices.batch_stride = 0;
}

MatmulLayout refused(const char* why) {
  MatmulLayout layout;
  layout.outcome = Outcome::unsupported(std::string("cublasLt is not asked for ") + why);
  return layout;
}

}  // namespace

MatmulLayout matmul_layout(const sluice_cuda_op& op) {
  const bool has_c = op.as.matmul.has_bias != 0 && op.as.matmul.bias_is_matrix != 0;
  auto a = matrices_of(op.in[0]);
  auto b = matrices_of(op.in[1]);
  auto d = matrices_of(op.out[0]);
  auto c = has_c ? matrices_of(op.in[2]) : d;
  if (!a || !b || !c || !d) return refused("batches that are not evenly apart");
  if (element_count(op.out[0]) == 0 || a->columns == 0) return refused("no elements");

  // The same b for every matrix of a: one product of more rows.
  if (d->batch > 1 && (b->batch == 1 || b->batch_stride == 0) && rows_go_on(*a) && rows_go_on(*d) &&
      rows_go_on(*c)) {
    for (Matrices* matrices : {&*a, &*c, &*d}) join_rows(*matrices);
    b->batch = 1;
  }
  MatmulLayout layout;
  layout.is_swapped = d->columns == 1 || d->column_stride == 1;
  if (!layout.is_swapped) {
    for (Matrices* matrices : {&*a, &*b, &*c, &*d}) transpose(*matrices);
    std::swap(*a, *b);
  }
  const auto first = either_way(*b);
  const auto second = either_way(*a);
  const auto out = by_rows(*d);
  const auto term = by_rows(*c);
  if (!first || !second || !out || !term) return refused("matrices without a stride of 1");
  if (d->batch > 1 && out->batch_stride == 0) return refused("an output that repeats itself");
  layout.batch = d->batch;
  layout.a = *first;
  layout.b = *second;
  layout.c = *term;
  layout.d = *out;
  return layout;
}

}  // namespace sluice::cuda
