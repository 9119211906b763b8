#include "sluice/nodes/infer/gpu/lowering.h"

#include <algorithm>
#include <array>

// What makes few numbers of many, and what normalises by them.
namespace sluice::gpu {
namespace {

using graph::kNoValue;
using graph::ValueId;

static_assert(static_cast<int>(graph::ReduceKind::kLogSumExp) == SLUICE_CUDA_REDUCE_LOG_SUM_EXP);

// A shape seen as [outer, n, inner]; n are the axes begin..end.
std::vector<std::int64_t> folded(Dims dims, std::size_t begin, std::size_t end) {
  return {extent(dims.first(begin)), extent(dims.subspan(begin, end - begin)),
          extent(dims.subspan(end))};
}

// In the order of the input if it can be looked at in groups there, else in the axes' own.
View result_form(std::int32_t type, Dims dims, const View& input, Dims groups) {
  if (!repeats(input) && reshaped(input, groups)) {
    const View like = dense_like(type, dims, input);
    if (reshaped(like, groups)) return like;
  }
  return dense(type, dims);
}

}  // namespace

Status Lowering::lower_op(const graph::Reduce& op) {
  const auto axes = graph::resolve(op, operands_of(*node_));
  if (!axes) return axes.status();
  const ValueId in = node_->inputs[0], out = node_->outputs[0];
  if (axes->empty() && op.no_axes == graph::Reduce::NoAxes::kNone) return reshape();
  Result<Operand> from = get_stored(in);
  if (!from) return from.status();
  const auto rank = static_cast<std::int64_t>(shape(in).rank());
  std::vector<std::int64_t> order, kept;
  for (std::int64_t i = 0; i < rank; ++i) {
    if (std::ranges::count(*axes, i) == 0) order.push_back(i);
  }
  for (std::int64_t axis : order) kept.push_back(shape(in)[static_cast<std::size_t>(axis)]);
  order.insert(order.end(), axes->begin(), axes->end());
  sluice_cuda_op reduce = op_of(SLUICE_CUDA_OP_REDUCE);
  reduce.as.reduce.function = static_cast<std::int32_t>(op.kind);
  reduce.as.reduce.reduced = static_cast<std::int32_t>(axes->size());
  const Operand read{from->place, permuted(from->view, order)};
  const Operand whole = put_new(out, dense(from->view.type, shape(out).dims()));
  const Operand to{whole.place, dense(from->view.type, kept)};
  emit(reduce, {&read, 1}, {&to, 1});
  return Status::ok();
}

Status Lowering::lower_op(const graph::ArgReduce& op) {
  const ValueId in = node_->inputs[0], out = node_->outputs[0];
  const Dims dims = shape(in).dims();
  const auto axis = graph::resolve_axis(op.axis, dims.size());
  if (!axis) return axis.status();
  const auto groups = folded(dims, *axis, *axis + 1);
  Result<Operand> from = get_grouped(in, groups);
  if (!from) return from.status();
  sluice_cuda_op arg = op_of(SLUICE_CUDA_OP_ARG);
  arg.as.arg.largest = op.kind == graph::ArgReduce::Kind::kMax ? 1 : 0;
  arg.as.arg.select_last = op.select_last ? 1 : 0;
  const Operand whole = put_new(out, dense(SLUICE_CUDA_I64, shape(out).dims()));
  const Operand to{whole.place, dense(SLUICE_CUDA_I64, std::vector{groups[0], groups[2]})};
  emit(arg, {&*from, 1}, {&to, 1});
  return Status::ok();
}

Status Lowering::lower_op(const graph::TopK& op) {
  const ValueId in = node_->inputs[0];
  const Dims dims = shape(in).dims();
  const auto axis = graph::resolve_axis(op.axis, dims.size());
  if (!axis) return axis.status();
  const auto groups = folded(dims, *axis, *axis + 1);
  Result<Operand> from = get_grouped(in, groups);
  if (!from) return from.status();
  sluice_cuda_op topk = op_of(SLUICE_CUDA_OP_TOPK);
  topk.as.topk.largest = op.largest ? 1 : 0;
  std::vector<Operand> results;
  for (std::size_t i = 0; i < 2; ++i) {
    const ValueId out = i < node_->outputs.size() ? node_->outputs[i] : kNoValue;
    std::vector<std::int64_t> extents(dims.begin(), dims.end());
    extents[*axis] = shape(node_->outputs[node_->outputs[0] == kNoValue ? 1 : 0])[*axis];
    const View form = dense(i == 0 ? from->view.type : SLUICE_CUDA_I64, extents);
    const Operand whole = out == kNoValue ? make(form) : put_new(out, form);
    results.push_back(
        {whole.place, dense(form.type, std::vector{groups[0], extents[*axis], groups[2]})});
  }
  emit(topk, {&*from, 1}, results);
  return Status::ok();
}

Status Lowering::lower_op(const graph::Softmax& op) {
  const ValueId in = node_->inputs[0], out = node_->outputs[0];
  const Dims dims = shape(in).dims();
  std::size_t axis = dims.size();
  if (op.axis != static_cast<std::int64_t>(dims.size())) {
    const auto counted = graph::resolve_axis(op.axis, dims.size());
    if (!counted) return counted.status();
    axis = *counted;
  }
  const bool is_one = op.extent == graph::Softmax::Extent::kAxis;
  const auto groups = folded(dims, axis, is_one ? std::min(axis + 1, dims.size()) : dims.size());
  Result<Operand> whole_in = get(in);
  if (!whole_in) return whole_in.status();
  const View form = result_form(stored_type(fact(out).dtype), dims, whole_in->view, groups);
  Result<Operand> from = get_grouped(in, groups);
  if (!from) return from.status();
  sluice_cuda_op softmax = op_of(SLUICE_CUDA_OP_SOFTMAX);
  softmax.as.softmax.logarithm = op.logarithm ? 1 : 0;
  const Operand whole = put_new(out, form);
  const Operand to{whole.place, *reshaped(form, groups)};
  emit(softmax, {&*from, 1}, {&to, 1});
  return Status::ok();
}

Result<Operand> Lowering::vector(ValueId id, std::int32_t type) {
  const std::vector<std::int64_t> dims{shape(id).elements()};
  if (!is_known(id)) {
    Result<Operand> operand = get_grouped(id, dims);
    if (!operand || operand->view.type == type) return operand;
    return converted(*operand, dense(type, dims));
  }
  const bool is_shared = graph_.constant_of(id) != nullptr;
  return constant(fact(id).value->reshaped(Shape(dims)), dense(type, dims),
                  is_shared ? "p" + std::to_string(id) : std::string());
}

Status Lowering::lower_op(const graph::LayerNorm& op) {
  const ValueId in = node_->inputs[0], out = node_->outputs[0];
  const Dims dims = shape(in).dims();
  const auto axis = graph::resolve_axis(op.axis, dims.size());
  if (!axis) return axis.status();
  const auto groups = folded(dims, *axis, dims.size());
  Result<Operand> whole_in = get(in);
  if (!whole_in) return whole_in.status();
  const View form = result_form(stored_type(fact(out).dtype), dims, whole_in->view, groups);
  Result<Operand> from = get_grouped(in, groups);
  if (!from) return from.status();
  std::vector<Operand> inputs{*from};
  for (std::size_t i = 1; i < node_->inputs.size() && node_->inputs[i] != kNoValue; ++i) {
    Result<Operand> parameter = vector(node_->inputs[i], SLUICE_CUDA_F32);
    if (!parameter) return parameter.status();
    inputs.push_back(*parameter);
  }
  sluice_cuda_op normalize = op_of(SLUICE_CUDA_OP_NORMALIZE);
  normalize.as.normalize.epsilon = op.epsilon;
  normalize.as.normalize.parameters_by = SLUICE_CUDA_BY_POSITION;
  normalize.as.normalize.channels = groups[1];
  const Operand whole = put_new(out, form);
  const Operand to{whole.place, *reshaped(form, groups)};
  emit(normalize, inputs, {&to, 1});
  return Status::ok();
}

// Along the pixels, whether the channels are outside or inside of them.
Status Lowering::lower_op(const graph::InstanceNorm& op) {
  const ValueId in = node_->inputs[0], out = node_->outputs[0];
  const Dims dims = shape(in).dims();
  const std::int64_t pixels = extent(dims.subspan(2));
  Result<Operand> from = get_stored(in);
  if (!from) return from.status();
  std::vector<Operand> inputs(1);
  for (std::size_t i = 1; i < 3; ++i) {
    Result<Operand> parameter = vector(node_->inputs[i], SLUICE_CUDA_F32);
    if (!parameter) return parameter.status();
    inputs.push_back(*parameter);
  }
  sluice_cuda_op normalize = op_of(SLUICE_CUDA_OP_NORMALIZE);
  normalize.as.normalize.epsilon = op.epsilon;
  normalize.as.normalize.channels = dims[1];
  const std::vector<std::int64_t> images{dims[0], dims[1], pixels};
  View form = channels_last(from->view.type, dims);
  std::vector<std::int64_t> groups = images, order{0, 2, 1};
  normalize.as.normalize.parameters_by = SLUICE_CUDA_BY_INNER;
  if (!is_channels_last(from->view)) {
    from = get_dense(in);
    if (!from) return from.status();
    form = dense(from->view.type, dims);
    groups = {dims[0] * dims[1], pixels, 1};
    order = {0, 1, 2};
    normalize.as.normalize.parameters_by = SLUICE_CUDA_BY_OUTER;
  }
  inputs[0] = {from->place, permuted(*reshaped(from->view, groups), order)};
  const Operand whole = put_new(out, form);
  const Operand to{whole.place, permuted(*reshaped(form, groups), order)};
  emit(normalize, inputs, {&to, 1});
  return Status::ok();
}

}  // namespace sluice::gpu
