#include "sluice/runtime/cuda/libraries/matmul_layout.h"

#include "tests/cuda/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace sluice::cuda {
namespace {

using namespace testing;
using ::testing::HasSubstr;

// Small whole numbers, of which sums are exact.
std::vector<double> numbers(std::size_t count) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<double>((i * 7 + 3) % 11) - 5;
  return values;
}

constexpr std::size_t kMemory = 4096;

std::int64_t place(const sluice_cuda_view& view, std::int64_t batch, std::int64_t row,
                   std::int64_t column) {
  return batch * view.strides[0] + row * view.strides[1] + column * view.strides[2];
}

// op(matrix)(row, column), as BLAS finds it.
double element(const BlasMatrix& matrix, const std::vector<double>& memory, std::int64_t batch,
               std::int64_t row, std::int64_t column) {
  if (matrix.transposed) std::swap(row, column);
  EXPECT_LT(row, matrix.rows);
  EXPECT_LT(column, matrix.columns);
  return memory.at(
      static_cast<std::size_t>(batch * matrix.batch_stride + column * matrix.leading + row));
}

// What BLAS would write for the layout, wherever it would.
std::vector<double> by_blas(const MatmulLayout& layout, const std::vector<double>& a,
                            const std::vector<double>& b, const std::vector<double>* c) {
  std::vector<double> out(kMemory);
  const std::vector<double>& first = layout.is_swapped ? b : a;
  const std::vector<double>& second = layout.is_swapped ? a : b;
  const std::int64_t inner = layout.a.transposed ? layout.a.rows : layout.a.columns;
  for (std::int64_t i = 0; i < layout.batch; ++i) {
    for (std::int64_t column = 0; column < layout.d.columns; ++column) {
      for (std::int64_t row = 0; row < layout.d.rows; ++row) {
        double sum = c != nullptr ? element(layout.c, *c, i, row, column) : 0;
        for (std::int64_t k = 0; k < inner; ++k) {
          sum += element(layout.a, first, i, row, k) * element(layout.b, second, i, k, column);
        }
        out.at(static_cast<std::size_t>(i * layout.d.batch_stride + column * layout.d.leading +
                                        row)) = sum;
      }
    }
  }
  return out;
}

std::vector<double> by_definition(const sluice_cuda_op& op, const std::vector<double>& a,
                                  const std::vector<double>& b, const std::vector<double>* c) {
  std::vector<double> out(kMemory);
  const sluice_cuda_view& d = op.out[0];
  for (std::int64_t i = 0; i < d.dims[0]; ++i) {
    for (std::int64_t m = 0; m < d.dims[1]; ++m) {
      for (std::int64_t n = 0; n < d.dims[2]; ++n) {
        double sum = c != nullptr ? c->at(static_cast<std::size_t>(place(op.in[2], i, m, n))) : 0;
        for (std::int64_t k = 0; k < op.in[0].dims[2]; ++k) {
          sum += a.at(static_cast<std::size_t>(place(op.in[0], i, m, k))) *
                 b.at(static_cast<std::size_t>(place(op.in[1], i, k, n)));
        }
        out.at(static_cast<std::size_t>(place(d, i, m, n))) = sum;
      }
    }
  }
  return out;
}

void expect_same(const sluice_cuda_op& op) {
  const MatmulLayout layout = matmul_layout(op);
  ASSERT_TRUE(layout.outcome.is_ok()) << layout.outcome.message;
  const std::vector<double> a = numbers(kMemory), b = numbers(kMemory - 1),
                            c = numbers(kMemory - 2);
  const std::vector<double>* term = op.as.matmul.has_bias ? &c : nullptr;
  EXPECT_EQ(by_blas(layout, a, b, term), by_definition(op, a, b, term));
}

// Ways in which matrices of `rows` x `columns` may lie: by rows, by columns, either with gaps.
std::vector<sluice_cuda_view> forms(std::int64_t batch, std::int64_t rows, std::int64_t columns) {
  const Dims dims = {batch, rows, columns};
  return {
      strided(SLUICE_CUDA_F16, dims, {rows * columns, columns, 1}),
      strided(SLUICE_CUDA_F16, dims, {rows * columns, 1, rows}),
      strided(SLUICE_CUDA_F16, dims, {rows * (columns + 3) + 5, columns + 3, 1}),
      strided(SLUICE_CUDA_F16, dims, {columns * (rows + 2), 1, rows + 2}),
      strided(SLUICE_CUDA_F16, dims, {columns, batch * columns, 1}),
  };
}

TEST(MatmulLayout, IsTheProductForEveryFormOfEachOperand) {
  for (const Dims& size : {Dims{1, 4, 5, 3}, Dims{3, 4, 5, 3}, Dims{2, 1, 5, 3}, Dims{2, 4, 1, 3},
                           Dims{2, 4, 5, 1}, Dims{1, 1, 1, 1}}) {
    const std::int64_t batch = size[0], m = size[1], k = size[2], n = size[3];
    for (const auto& a : forms(batch, m, k)) {
      for (const auto& b : forms(batch, k, n)) {
        for (const auto& d : forms(batch, m, n)) {
          sluice_cuda_op op = matmul(SLUICE_CUDA_F16, batch, m, k, n);
          op.in[0] = a;
          op.in[1] = b;
          op.out[0] = d;
          expect_same(op);
        }
      }
    }
  }
}

TEST(MatmulLayout, AddsAMatrix) {
  for (const auto& c : forms(2, 4, 3)) {
    for (const auto& d : forms(2, 4, 3)) {
      if ((c.strides[2] == 1) != (d.strides[2] == 1)) continue;  // BLAS has both by columns
      sluice_cuda_op op = matmul(SLUICE_CUDA_F16, 2, 4, 5, 3);
      op.inputs = 3;
      op.in[2] = c;
      op.out[0] = d;
      op.as.matmul.has_bias = op.as.matmul.bias_is_matrix = 1;
      expect_same(op);
    }
  }
}

TEST(MatmulLayout, RepeatsInputsAlongTheBatch) {
  sluice_cuda_op op = matmul(SLUICE_CUDA_F16, 3, 4, 5, 2);
  op.in[0].strides[0] = 0;
  expect_same(op);
  EXPECT_EQ(matmul_layout(op).b.batch_stride, 0);
}

// A linear layer over [batch, sequence, channels].
TEST(MatmulLayout, JoinsRowsOfABatchThatMeetOneMatrix) {
  sluice_cuda_op op = matmul(SLUICE_CUDA_F16, 3, 4, 5, 2);
  op.in[1].strides[0] = 0;

  const MatmulLayout layout = matmul_layout(op);

  EXPECT_EQ(layout.batch, 1);
  EXPECT_EQ(layout.d.columns, 12);
  expect_same(op);
}

TEST(MatmulLayout, TakesDimsOfABatchAsOne) {
  sluice_cuda_op op = matmul(SLUICE_CUDA_F16, 1, 4, 5, 2);
  op.in[0] = dense(SLUICE_CUDA_F16, {2, 3, 4, 5});
  op.in[1] = dense(SLUICE_CUDA_F16, {2, 3, 5, 2});
  op.out[0] = dense(SLUICE_CUDA_F16, {2, 3, 4, 2});

  const MatmulLayout layout = matmul_layout(op);

  ASSERT_TRUE(layout.outcome.is_ok());
  EXPECT_EQ(layout.batch, 6);
  EXPECT_EQ(layout.d.batch_stride, 8);
}

TEST(MatmulLayout, RefusesWhatBlasHasNot) {
  sluice_cuda_op op = matmul(SLUICE_CUDA_F16, 1, 4, 5, 2);
  op.in[0] = strided(SLUICE_CUDA_F16, {1, 4, 5}, {0, 10, 2});
  EXPECT_THAT(matmul_layout(op).outcome.message, HasSubstr("without a stride of 1"));

  op = matmul(SLUICE_CUDA_F16, 1, 4, 5, 2);
  op.in[0].strides[1] = 0;  // one row, repeated
  EXPECT_EQ(matmul_layout(op).outcome.code, SLUICE_CUDA_UNSUPPORTED);

  op = matmul(SLUICE_CUDA_F16, 1, 4, 5, 2);
  op.in[1].strides[1] = 1;  // rows that overlap
  EXPECT_EQ(matmul_layout(op).outcome.code, SLUICE_CUDA_UNSUPPORTED);

  op = matmul(SLUICE_CUDA_F16, 1, 4, 5, 2);
  op.in[0] = strided(SLUICE_CUDA_F16, {2, 3, 4, 5}, {100, 20, 5, 1});
  EXPECT_THAT(matmul_layout(op).outcome.message, HasSubstr("evenly apart"));

  EXPECT_THAT(matmul_layout(matmul(SLUICE_CUDA_F16, 1, 0, 5, 2)).outcome.message,
              HasSubstr("no elements"));
}

}  // namespace
}  // namespace sluice::cuda
