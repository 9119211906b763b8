#include "sluice/nodes/infer/gpu/lowering.h"
#include "sluice/nodes/infer/native/kernels/resize.h"

#include <algorithm>
#include <array>

// Layers over images.
namespace sluice::gpu {
namespace {

using graph::kNoValue;
using graph::ValueId;
using graph::WindowAxis;

sluice_cuda_window window_of(const std::vector<WindowAxis>& axes) {
  sluice_cuda_window window{};
  window.axes = static_cast<std::int32_t>(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    window.kernel[i] = axes[i].kernel;
    window.stride[i] = axes[i].stride;
    window.dilation[i] = axes[i].dilation;
    window.pad_begin[i] = axes[i].pad_begin;
    window.pad_end[i] = axes[i].pad_end;
  }
  return window;
}

sluice_cuda_activation activation_of(const std::optional<graph::Unary>& unary) {
  if (!unary) return {-1, 0, 0, 1, 0};
  return {static_cast<std::int32_t>(unary->kind), unary->alpha, unary->beta, unary->scale,
          unary->shift};
}

constexpr std::size_t kMostAxes = 3;

// Tensor cores take channels by eight; an image of three is widened rather than computed without.
constexpr std::int64_t kChannelStep = 8;

}  // namespace

// Weights with the channels innermost, and zeros for channels beyond their own.
Result<Operand> Lowering::weights(ValueId id, std::int64_t channels) {
  const Shape& dims = shape(id);
  std::vector<std::int64_t> wide(dims.begin(), dims.end());
  wide[1] = channels;
  const bool is_shared = graph_.constant_of(id) != nullptr;
  if (is_known(id)) {
    // A depthwise layer reads its weights one filter beside the other.
    View form = channels_last(type_, wide);
    if (channels == 1) {
      std::vector<std::int64_t> order(wide.begin() + 1, wide.end());
      order.push_back(wide[0]);
      const View turned = dense(type_, order);
      form = turned;
      std::ranges::copy(wide, form.dims);
      form.strides[0] = turned.strides[turned.rank - 1];
      std::copy_n(turned.strides, turned.rank - 1, form.strides + 1);
    }
    return constant(*fact(id).value, form, is_shared ? "w" + std::to_string(id) : std::string());
  }
  return get_channels_last(id);
}

Result<Operand> Lowering::padded_channels(ValueId id, std::int64_t channels) {
  Result<Operand> from = get_channels_last(id);
  if (!from || shape(id)[1] == channels) return from;
  std::vector<std::int64_t> dims(shape(id).begin(), shape(id).end());
  dims[1] = channels;
  sluice_cuda_op pad = op_of(SLUICE_CUDA_OP_PAD);
  pad.as.pad.mode = SLUICE_CUDA_PAD_CONSTANT;
  const Operand to = make(channels_last(from->view.type, dims));
  emit(pad, {&*from, 1}, {&to, 1});
  return to;
}

Status Lowering::lower_op(const graph::Conv& op) {
  const auto axes = graph::resolve(op, operands_of(*node_));
  if (!axes) return axes.status();
  if (axes->size() > kMostAxes) return refuse("it has more than three spatial axes");
  const ValueId in = node_->inputs[0], filter = node_->inputs[1], out = node_->outputs[0];
  std::int64_t channels = shape(filter)[1];
  const bool widens = type_ != SLUICE_CUDA_F32 && op.group == 1 && channels < kChannelStep &&
                      is_known(filter) && channels > 1;
  if (widens) channels = kChannelStep;
  Result<Operand> x = widens ? padded_channels(in, channels) : get_channels_last(in);
  if (!x) return x.status();
  Result<Operand> w = weights(filter, channels);
  if (!w) return w.status();
  std::vector<Operand> inputs{*x, *w};
  sluice_cuda_op conv = op_of(SLUICE_CUDA_OP_CONV);
  conv.as.conv.window = window_of(*axes);
  conv.as.conv.group = op.group;
  conv.as.conv.activation = activation_of(op.activation);
  conv.as.conv.after = activation_of(op.after);
  if (const ValueId bias = graph::Graph::operand(*node_, 2); bias != kNoValue) {
    Result<Operand> shift = vector(bias, type_);
    if (!shift) return shift.status();
    inputs.push_back(*shift);
    conv.as.conv.has_bias = 1;
  }
  const Dims dims = shape(out).dims();
  if (const ValueId residual = graph::Graph::operand(*node_, 3); residual != kNoValue) {
    const bool is_whole = std::ranges::equal(shape(residual), dims);
    Result<Operand> sum = is_whole ? get_channels_last(residual) : get_stored(residual);
    if (!sum) return sum.status();
    inputs.push_back({sum->place, broadcast(sum->view, dims)});
    conv.as.conv.has_residual = 1;
  }
  const Operand to = put_new(out, channels_last(type_, dims));
  emit(conv, inputs, {&to, 1});
  return Status::ok();
}

Status Lowering::lower_op(const graph::ConvTranspose& op) {
  const auto axes = graph::resolve(op, operands_of(*node_));
  if (!axes) return axes.status();
  if (axes->size() > kMostAxes) return refuse("it has more than three spatial axes");
  const ValueId in = node_->inputs[0], filter = node_->inputs[1], out = node_->outputs[0];
  Result<Operand> x = get_channels_last(in);
  if (!x) return x.status();
  Result<Operand> w = weights(filter, shape(filter)[1]);
  if (!w) return w.status();
  std::vector<Operand> inputs{*x, *w};
  sluice_cuda_op conv = op_of(SLUICE_CUDA_OP_CONV_TRANSPOSE);
  conv.as.conv.window = window_of(*axes);
  conv.as.conv.group = op.group;
  conv.as.conv.activation = activation_of(op.activation);
  conv.as.conv.after = activation_of(std::nullopt);
  if (const ValueId bias = graph::Graph::operand(*node_, 2); bias != kNoValue) {
    Result<Operand> shift = vector(bias, type_);
    if (!shift) return shift.status();
    inputs.push_back(*shift);
    conv.as.conv.has_bias = 1;
  }
  const Operand to = put_new(out, channels_last(type_, shape(out).dims()));
  emit(conv, inputs, {&to, 1});
  return Status::ok();
}

Status Lowering::lower_op(const graph::Pool& op) {
  const auto axes = graph::resolve(op, operands_of(*node_));
  if (!axes) return axes.status();
  if (axes->size() > kMostAxes) return refuse("it has more than three spatial axes");
  Result<Operand> from = get_stored(node_->inputs[0]);
  if (!from) return from.status();
  sluice_cuda_op pool = op_of(SLUICE_CUDA_OP_POOL);
  pool.as.pool.average = op.kind == graph::Pool::Kind::kAverage ? 1 : 0;
  pool.as.pool.count_include_pad = op.count_include_pad ? 1 : 0;
  pool.as.pool.window = window_of(*axes);
  std::vector<Operand> results;
  const ValueId where = node_->outputs.size() > 1 ? node_->outputs[1] : kNoValue;
  const ValueId out = node_->outputs[0] == kNoValue ? where : node_->outputs[0];
  const Dims dims = shape(out).dims();
  const View form = repeats(from->view) ? dense(from->view.type, dims)
                                        : dense_like(from->view.type, dims, from->view);
  results.push_back(node_->outputs[0] == kNoValue ? make(form) : put_new(node_->outputs[0], form));
  if (where != kNoValue) results.push_back(put_new(where, dense(SLUICE_CUDA_I64, dims)));
  emit(pool, {&*from, 1}, results);
  return Status::ok();
}

Status Lowering::lower_op(const graph::Lrn& op) {
  const ValueId out = node_->outputs[0];
  const Dims dims = shape(out).dims();
  std::int64_t rest = 1;
  for (std::int64_t extent : dims.subspan(2)) rest *= extent;
  const std::vector<std::int64_t> groups{dims[0], dims[1], rest};
  Result<Operand> from = get_stored(node_->inputs[0]);
  if (!from) return from.status();
  const bool is_last = is_channels_last(from->view);
  if (!is_last) from = get_dense(node_->inputs[0]);
  if (!from) return from.status();
  sluice_cuda_op lrn = op_of(SLUICE_CUDA_OP_LRN);
  lrn.as.lrn = {op.size, op.alpha, op.beta, op.bias};
  const View form = is_last ? channels_last(from->view.type, dims) : dense(from->view.type, dims);
  const Operand whole = put_new(out, form);
  const Operand read{from->place, *reshaped(from->view, groups)};
  const Operand to{whole.place, *reshaped(form, groups)};
  emit(lrn, {&read, 1}, {&to, 1});
  return Status::ok();
}

// The tables are those of the kernel for the CPU, so that both take the same pixels.
Status Lowering::lower_op(const graph::Resize& op) {
  const auto extents = graph::resolve(op, operands_of(*node_));
  if (!extents) return extents.status();
  const ValueId in = node_->inputs[0], out = node_->outputs[0];
  const kernels::ResizeParams params{shape(in).dims(),
                                     extents->out.dims(),
                                     extents->scales,
                                     static_cast<kernels::ResizeMode>(op.mode),
                                     static_cast<kernels::ResizeCoordinates>(op.coordinates),
                                     static_cast<kernels::ResizeRounding>(op.rounding),
                                     op.cubic_a,
                                     op.exclude_outside,
                                     extents->roi,
                                     op.extrapolation};
  sluice_cuda_op resize = op_of(SLUICE_CUDA_OP_RESIZE);
  resize.as.resize.outside = op.extrapolation;
  std::vector<std::int32_t> places;
  std::vector<float> shares;
  for (std::size_t axis = 0; axis < shape(in).rank(); ++axis) {
    const kernels::AxisTaps taps = kernels::axis_taps(params, axis);
    resize.as.resize.taps[axis] = taps.count;
    places.insert(places.end(), taps.places.begin(), taps.places.end());
    shares.insert(shares.end(), taps.weights.begin(), taps.weights.end());
  }
  if (places.empty()) return reshape();
  Result<Operand> from = get_stored(in);
  if (!from) return from.status();
  std::vector<Operand> inputs{*from};
  const Shape count{static_cast<std::int64_t>(places.size())};
  for (const DType dtype : {DType::kI32, DType::kF32}) {
    Result<Tensor> table = Tensor::allocate(dtype, count);
    if (!table) return table.status();
    if (dtype == DType::kI32) {
      std::ranges::copy(places, table->data<std::int32_t>());
    } else {
      std::ranges::copy(shares, table->data<float>());
    }
    Result<Operand> there = constant(*table, dense(type_of(dtype), count.dims()), "");
    if (!there) return there.status();
    inputs.push_back(*there);
  }
  const Dims dims = shape(out).dims();
  const Operand to =
      put_new(out, repeats(from->view) ? dense(from->view.type, dims)
                                       : dense_like(from->view.type, dims, from->view));
  emit(resize, inputs, {&to, 1});
  return Status::ok();
}

}  // namespace sluice::gpu
