#include "sluice/nodes/infer/gpu/lowering.h"

#include <algorithm>
#include <array>

// Matrix products, and attention.
namespace sluice::gpu {
namespace {

using graph::kNoValue;
using graph::ValueId;

sluice_cuda_op matmul_of(const std::optional<graph::Unary>& unary) {
  sluice_cuda_op op{};
  op.kind = SLUICE_CUDA_OP_MATMUL;
  op.as.matmul.alpha = 1.0F;
  op.as.matmul.beta = 1.0F;
  op.as.matmul.activation = {-1, 0, 0, 1, 0};
  if (unary) {
    op.as.matmul.activation = {static_cast<std::int32_t>(unary->kind), unary->alpha, unary->beta,
                               unary->scale, unary->shift};
  }
  return op;
}

// Whether a library takes the matrices of [batch, rows, columns] as they lie.
bool is_matrix(const View& view) {
  const auto fits = [&](int inner, int outer) {
    return (view.strides[inner] == 1 || view.dims[inner] == 1) &&
           (view.strides[outer] >= view.dims[inner] || view.dims[outer] == 1);
  };
  return fits(2, 1) || fits(1, 2);
}

// Rows of one element, and single rows, get the strides that a dense matrix would have.
View tidied(View view) {
  if (view.dims[2] == 1 && view.dims[1] == 1) {
    view.strides[1] = view.strides[2] = 1;
  } else if (view.dims[2] == 1) {
    view.strides[2] = view.strides[1] == 1 ? view.dims[1] : 1;
  } else if (view.dims[1] == 1) {
    view.strides[1] = view.strides[2] == 1 ? view.dims[2] : 1;
  }
  if (view.dims[0] == 1) view.strides[0] = 0;
  return view;
}

View swapped(View view) {
  std::swap(view.dims[1], view.dims[2]);
  std::swap(view.strides[1], view.strides[2]);
  return view;
}

}  // namespace

// The value, broadcast to `dims`, as [batch, rows, columns].
Result<Operand> Lowering::matrices(ValueId id, Dims dims, Dims grouped) {
  Result<Operand> operand = get_stored(id);
  if (!operand) return operand;
  if (const auto view = reshaped(broadcast(operand->view, dims), grouped)) {
    if (is_matrix(*view)) return Operand{operand->place, tidied(*view)};
  }
  operand = get_dense(id);
  if (!operand) return operand;
  Operand wide{operand->place, broadcast(operand->view, dims)};
  if (!reshaped(wide.view, grouped)) {
    Result<Operand> copied = converted(wide, dense(wide.view.type, dims));
    if (!copied) return copied;
    wide = *copied;
  }
  return Operand{wide.place, tidied(*reshaped(wide.view, grouped))};
}

// `op` with everything but its operands. A bias that is one row is added along with the product,
// any other afterwards.
Status Lowering::product(const Operand& a, const Operand& b, ValueId bias, sluice_cuda_op op) {
  const ValueId out = node_->outputs[0];
  const Dims dims = shape(out).dims();
  const std::int64_t columns = b.view.dims[2];
  const bool is_row = bias != kNoValue && shape(bias).elements() == columns && is_known(bias) &&
                      shape(bias)[shape(bias).rank() - 1] == columns;
  std::vector<Operand> inputs{a, b};
  if (is_row) {
    Result<Operand> row = vector(bias, type_);
    if (!row) return row.status();
    inputs.push_back(*row);
    op.as.matmul.has_bias = 1;
  }
  const bool adds_later = bias != kNoValue && !is_row;
  const sluice_cuda_activation activation = op.as.matmul.activation;
  if (adds_later) op.as.matmul.activation.function = -1;
  const Operand whole = adds_later ? make(dense(type_, dims)) : put_new(out, dense(type_, dims));
  const Operand to{whole.place, dense(type_, std::vector{a.view.dims[0], a.view.dims[1], columns})};
  emit(op, inputs, {&to, 1});
  if (!adds_later) return Status::ok();

  Chain chain;
  chain.op.kind = SLUICE_CUDA_OP_MAP;
  chain.op.outputs = 1;
  chain.op.as.map.compute = SLUICE_CUDA_COMPUTE_F32;
  auto& map = chain.op.as.map;
  const auto add_stage = [&]() -> sluice_cuda_stage& { return map.stage[map.stages++] = {}; };
  if (const Result<int> first = add_operand(chain, bias, dims); !first) return first.status();
  if (op.as.matmul.beta != 1.0F) {
    // A leaky ReLU of slope 1 changes nothing: it is there for its factor.
    add_stage().activation = {SLUICE_CUDA_LEAKY_RELU, 1.0F, 0, op.as.matmul.beta, 0};
  }
  const Result<int> base = add_operand(chain, Operand{whole.place, whole.view});
  if (!base) return base.status();
  sluice_cuda_stage& sum = add_stage();
  sum.kind = SLUICE_CUDA_STAGE_BINARY;
  sum.function = SLUICE_CUDA_ADD;
  sum.operand = *base;
  if (activation.function >= 0) add_stage().activation = activation;
  keep(out, std::move(chain));
  return Status::ok();
}

Status Lowering::lower_op(const graph::Gemm& op) {
  const ValueId a = node_->inputs[0], b = node_->inputs[1];
  const auto matrix = [&](ValueId id, bool transposed) -> Result<Operand> {
    const Shape& dims = shape(id);
    Result<Operand> operand =
        matrices(id, dims.dims(), std::vector{std::int64_t{1}, dims[0], dims[1]});
    if (operand && transposed) operand->view = swapped(operand->view);
    return operand;
  };
  const Result<Operand> left = matrix(a, op.transpose_a);
  if (!left) return left.status();
  const Result<Operand> right = matrix(b, op.transpose_b);
  if (!right) return right.status();
  sluice_cuda_op matmul = matmul_of(op.activation);
  matmul.as.matmul.alpha = op.alpha;
  matmul.as.matmul.beta = op.beta;
  return product(*left, *right, graph::Graph::operand(*node_, 2), matmul);
}

// A vector on the left is one row, on the right one column; weights take all rows of the batch as
// one matrix.
Status Lowering::lower_op(const graph::MatMul& op) {
  const ValueId a = node_->inputs[0], b = node_->inputs[1], out = node_->outputs[0];
  std::vector<std::int64_t> left(shape(a).begin(), shape(a).end());
  std::vector<std::int64_t> right(shape(b).begin(), shape(b).end());
  if (left.size() == 1) left.insert(left.begin(), 1);
  if (right.size() == 1) right = {right[0], 1};
  const std::int64_t rows = left[left.size() - 2], inner = left.back(), columns = right.back();
  if (inner == 0) return refuse("an empty product");

  std::vector<std::int64_t> batch(shape(out).begin(), shape(out).end());
  if (shape(b).rank() > 1) batch.pop_back();
  if (shape(a).rank() > 1) batch.pop_back();
  const bool is_one = right.size() == 2;
  const std::int64_t count = is_one ? 1 : extent(batch);
  const auto wide = [&](std::vector<std::int64_t> dims, std::int64_t m, std::int64_t n) {
    dims.push_back(m);
    dims.push_back(n);
    return dims;
  };
  // A vector is reshaped to a matrix before it is broadcast.
  const auto operand = [&](ValueId id, const std::vector<std::int64_t>& dims,
                           const std::vector<std::int64_t>& grouped) -> Result<Operand> {
    if (shape(id).rank() > 1) return matrices(id, dims, grouped);
    Result<Operand> vector = get_dense(id);
    if (!vector) return vector;
    View view = dense(vector->view.type, std::vector{std::int64_t{1}, grouped[1], grouped[2]});
    view.offset = vector->view.offset;
    view.dims[0] = grouped[0];
    view.strides[0] = 0;
    return Operand{vector->place, tidied(view)};
  };
  const std::int64_t stacked = is_one ? extent(batch) * rows : rows;
  const Result<Operand> x =
      operand(a, wide(batch, rows, inner), std::vector{count, stacked, inner});
  if (!x) return x.status();
  const Result<Operand> y =
      operand(b, is_one ? right : wide(batch, inner, columns), std::vector{count, inner, columns});
  if (!y) return y.status();
  return product(*x, *y, graph::Graph::operand(*node_, 2), matmul_of(op.activation));
}

Status Lowering::attend(const Attention& attention) {
  const ValueId out = node_->outputs[0];
  Result<Operand> q = get_stored(attention.q);
  if (!q) return q.status();
  Result<Operand> kt = get_stored(attention.kt);
  if (!kt) return kt.status();
  Result<Operand> v = get_stored(attention.v);
  if (!v) return v.status();
  const std::vector<std::int64_t> order{0, 1, 3, 2};
  std::vector<Operand> inputs{*q, {kt->place, permuted(kt->view, order)}, *v};
  const Dims dims = shape(out).dims();
  if (attention.mask != kNoValue) {
    Result<Operand> mask = get_stored(attention.mask);
    if (!mask) return mask.status();
    const std::vector<std::int64_t> scores{dims[0], dims[1], dims[2], shape(attention.kt)[3]};
    inputs.push_back({mask->place, broadcast(mask->view, scores)});
  }
  sluice_cuda_op op{};
  op.kind = SLUICE_CUDA_OP_ATTENTION;
  op.as.attention.scale = attention.scale;
  // What follows joins the heads again: they lie side by side from the start.
  const Operand to =
      put_new(out, permuted(dense(type_, std::vector{dims[0], dims[2], dims[1], dims[3]}),
                            std::vector<std::int64_t>{0, 2, 1, 3}));
  emit(op, inputs, {&to, 1});
  return Status::ok();
}

}  // namespace sluice::gpu
