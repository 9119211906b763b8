#include "sluice/nodes/infer/gpu/lowering.h"

#include <algorithm>
#include <cstring>

// What moves elements, and mostly only looks at them from elsewhere.
namespace sluice::gpu {
namespace {

using graph::kNoValue;
using graph::ValueId;

}  // namespace

// A chain whose result is only seen under other extents is emitted first: its stages look at the
// operands under the old ones.
Status Lowering::reshape() {
  const ValueId in = node_->inputs[0], out = node_->outputs[0];
  Result<Operand> view = get_grouped(in, shape(out).dims());
  if (!view) return view.status();
  put(out, *view);
  return Status::ok();
}

Status Lowering::lower_op(const graph::Identity&) { return reshape(); }
Status Lowering::lower_op(const graph::Reshape&) { return reshape(); }
Status Lowering::lower_op(const graph::Flatten&) { return reshape(); }
Status Lowering::lower_op(const graph::Squeeze&) { return reshape(); }
Status Lowering::lower_op(const graph::Unsqueeze&) { return reshape(); }

Status Lowering::lower_op(const graph::Transpose& op) {
  const auto order = graph::resolve(op, operands_of(*node_));
  if (!order) return order.status();
  Result<Operand> from = get(node_->inputs[0]);
  if (!from) return from.status();
  put(node_->outputs[0], {from->place, permuted(from->view, *order)});
  return Status::ok();
}

Status Lowering::lower_op(const graph::Slice& op) {
  const auto range = graph::resolve(op, operands_of(*node_));
  if (!range) return range.status();
  Result<Operand> from = get(node_->inputs[0]);
  if (!from) return from.status();
  View view = from->view;
  for (std::size_t i = 0; i < range->starts.size(); ++i) {
    view.offset += range->starts[i] * view.strides[i];
    view.strides[i] *= range->steps[i];
    view.dims[i] = range->extents[i];
  }
  put(node_->outputs[0], {from->place, view});
  return Status::ok();
}

Status Lowering::lower_op(const graph::Split& op) {
  const auto sizes = graph::resolve(op, operands_of(*node_), node_->outputs.size());
  if (!sizes) return sizes.status();
  const auto axis = graph::resolve_axis(op.axis, shape(node_->inputs[0]).rank());
  if (!axis) return axis.status();
  Result<Operand> from = get(node_->inputs[0]);
  if (!from) return from.status();
  std::int64_t start = 0;
  for (std::size_t i = 0; i < sizes->size(); ++i) {
    const ValueId out = node_->outputs[i];
    if (out != kNoValue) put(out, {from->place, part(from->view, *axis, start, (*sizes)[i])});
    start += (*sizes)[i];
  }
  return Status::ok();
}

Status Lowering::lower_op(const graph::Expand&) {
  Result<Operand> from = get(node_->inputs[0]);
  if (!from) return from.status();
  const ValueId out = node_->outputs[0];
  put(out, {from->place, broadcast(from->view, shape(out).dims())});
  return Status::ok();
}

// Axis by axis that is repeated: [r, d] of which r has the stride 0.
Status Lowering::lower_op(const graph::Tile&) {
  const auto repeats = graph::integers_of(operands_of(*node_), 1);
  if (!repeats) return repeats.status();
  Result<Operand> from = get(node_->inputs[0]);
  if (!from) return from.status();
  const ValueId out = node_->outputs[0];
  std::vector<std::int64_t> dims, strides;
  for (std::size_t i = 0; i < repeats->size(); ++i) {
    if ((*repeats)[i] != 1) {
      dims.push_back((*repeats)[i]);
      strides.push_back(0);
    }
    dims.push_back(from->view.dims[i]);
    strides.push_back(from->view.strides[i]);
  }
  if (dims.size() > SLUICE_CUDA_MAX_RANK) return refuse("it repeats too many axes");
  View source = dense(from->view.type, dims);
  std::ranges::copy(strides, source.strides);
  source.offset = from->view.offset;
  const Operand read{from->place, source};
  const Operand whole = put_new(out, dense(from->view.type, shape(out).dims()));
  const Operand written{whole.place, dense(from->view.type, dims)};
  emit(op_of(SLUICE_CUDA_OP_COPY), {&read, 1}, {&written, 1});
  return Status::ok();
}

// The parts are written where they belong; those that wait are computed there.
Status Lowering::lower_op(const graph::Concat& op) {
  const ValueId out = node_->outputs[0];
  const Dims dims = shape(out).dims();
  const auto axis = graph::resolve_axis(op.axis, dims.size());
  if (!axis) return axis.status();
  const std::int32_t type = stored_type(fact(out).dtype);
  View form = dense(type, dims);
  for (ValueId id : node_->inputs) {
    if (is_known(id) || shape(id).elements() == 0) continue;
    const auto chain = chains_.find(id);
    const auto& there = operands_[static_cast<std::size_t>(id)];
    const View& like = chain != chains_.end() ? chain->second.op.out[0] : there->view;
    if (!repeats(like)) form = dense_like(type, dims, like);
    break;
  }
  const Operand whole = put_new(out, form);
  std::int64_t start = 0;
  for (ValueId id : node_->inputs) {
    const std::int64_t extent = shape(id)[*axis];
    if (shape(id).elements() > 0) {
      Status status = assign(id, {whole.place, part(form, *axis, start, extent)});
      if (!status.is_ok()) return status;
    }
    start += extent;
  }
  return Status::ok();
}

Status Lowering::lower_op(const graph::Pad& op) {
  const auto amounts = graph::resolve(op, operands_of(*node_));
  if (!amounts) return amounts.status();
  const ValueId in = node_->inputs[0], out = node_->outputs[0];
  Result<Operand> from = get_stored(in);
  if (!from) return from.status();
  sluice_cuda_op pad = op_of(SLUICE_CUDA_OP_PAD);
  pad.as.pad.mode = static_cast<std::int32_t>(op.mode);
  std::ranges::copy(amounts->before, pad.as.pad.before);
  const ValueId number = graph::Graph::operand(*node_, 2);
  if (number != kNoValue) {
    if (!is_known(number)) return pad_with(number, *amounts);
    const Tensor one = fact(number).value->reshaped(Shape{});
    lay_out(one, dense(from->view.type, {}), reinterpret_cast<std::byte*>(&pad.as.pad.value));
  }
  const Dims dims = shape(out).dims();
  const Operand to =
      put_new(out, repeats(from->view) ? dense(from->view.type, dims)
                                       : dense_like(from->view.type, dims, from->view));
  emit(pad, {&*from, 1}, {&to, 1});
  return Status::ok();
}

// With a number that the model computes: the result is filled with it, and what there is laid over.
Status Lowering::pad_with(ValueId number, const graph::PadAmounts& amounts) {
  Result<Operand> from = get_stored(node_->inputs[0]);
  if (!from) return from.status();
  Result<Operand> filling = get_stored(number);
  if (!filling) return filling.status();
  const ValueId out = node_->outputs[0];
  const Operand whole = put_new(out, dense(from->view.type, shape(out).dims()));
  const Operand everywhere{filling->place,
                           broadcast(*reshaped(filling->view, {}), shape(out).dims())};
  emit(op_of(SLUICE_CUDA_OP_COPY), {&everywhere, 1}, {&whole, 1});
  Operand read = *from, written = whole;
  for (std::size_t axis = 0; axis < amounts.before.size(); ++axis) {
    const std::int64_t before = amounts.before[axis], after = amounts.after[axis];
    const std::int64_t left =
        read.view.dims[axis] + std::min<std::int64_t>(before, 0) + std::min<std::int64_t>(after, 0);
    if (left <= 0) return Status::ok();
    read.view = part(read.view, axis, std::max<std::int64_t>(-before, 0), left);
    written.view = part(written.view, axis, std::max<std::int64_t>(before, 0), left);
  }
  emit(op_of(SLUICE_CUDA_OP_COPY), {&read, 1}, {&written, 1});
  return Status::ok();
}

Status Lowering::lower_op(const graph::Gather& op) {
  const ValueId in = node_->inputs[0], indices = node_->inputs[1], out = node_->outputs[0];
  const Dims dims = shape(in).dims();
  const auto axis = graph::resolve_axis(op.axis, dims.size());
  if (!axis) return axis.status();
  const std::int64_t outer = extent(dims.first(*axis)), inner = extent(dims.subspan(*axis + 1));
  const std::int64_t count = shape(indices).elements();
  Result<Operand> from = get_grouped(in, std::vector{outer, dims[*axis], inner});
  if (!from) return from.status();
  Result<Operand> places = get_grouped(indices, std::vector{count});
  if (!places) return places.status();
  const Operand whole = put_new(out, dense(from->view.type, shape(out).dims()));
  const Operand to{whole.place, dense(from->view.type, std::vector{outer, count, inner})};
  emit(op_of(SLUICE_CUDA_OP_GATHER), std::array{*from, *places}, {&to, 1});
  return Status::ok();
}

// The value under the extents `parts`, its axes in that order, and those folded to the output's.
Status Lowering::rearrange(Dims parts, Dims order) {
  const ValueId out = node_->outputs[0];
  Result<Operand> from = get_grouped(node_->inputs[0], parts);
  if (!from) return from.status();
  const View turned = permuted(from->view, order);
  if (const auto view = reshaped(turned, shape(out).dims())) {
    put(out, {from->place, *view});
    return Status::ok();
  }
  const Operand whole = put_new(out, dense(turned.type, shape(out).dims()));
  const Operand read{from->place, turned};
  const Operand written{whole.place, dense(turned.type, dims_of(turned))};
  emit(op_of(SLUICE_CUDA_OP_COPY), {&read, 1}, {&written, 1});
  return Status::ok();
}

Status Lowering::lower_op(const graph::DepthToSpace& op) {
  const Shape& x = shape(node_->inputs[0]);
  const std::int64_t b = op.block, c = x[1] / (b * b);
  const bool depth_first = op.mode == graph::DepthToSpace::Mode::kDepthColumnRow;
  if (depth_first) {
    return rearrange(std::vector{x[0], b, b, c, x[2], x[3]},
                     std::vector<std::int64_t>{0, 3, 4, 1, 5, 2});
  }
  return rearrange(std::vector{x[0], c, b, b, x[2], x[3]},
                   std::vector<std::int64_t>{0, 1, 4, 2, 5, 3});
}

Status Lowering::lower_op(const graph::SpaceToDepth& op) {
  const Shape& x = shape(node_->inputs[0]);
  const std::int64_t b = op.block;
  return rearrange(std::vector{x[0], x[1], x[2] / b, b, x[3] / b, b},
                   std::vector<std::int64_t>{0, 3, 5, 1, 2, 4});
}

}  // namespace sluice::gpu
