#include "sluice/nodes/tensor/axis_step.h"

#include "sluice/nodes/infer/gpu/view.h"
#include "sluice/nodes/infer/session_inputs.h"
#include "sluice/nodes/tensor/axis.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice {
namespace {

constexpr std::size_t kAlong = 1;  // of the axes of lines
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Several items' tensors as lines.
struct Lines {
  Shape shape;  // [outer, n, inner]
  std::size_t along;
  std::int64_t per_item;
};

// Of a tensor whose outermost axis is the items.
Result<Lines> lines_of(const Shape& shape, std::int64_t axis) {
  const std::optional<std::size_t> of_item = axis_of(axis, shape.rank() - 1);
  if (!of_item || shape[*of_item + 1] == 0) {
    return invalid("tensor.shape", "the tensors " + shape.to_string() + " have no axis " +
                                       std::to_string(axis) + " with elements");
  }
  Lines lines{{1, shape[*of_item + 1], 1}, *of_item + 1, 1};
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    if (i == lines.along) continue;
    lines.shape[i < lines.along ? 0 : 2] *= shape[i];
    if (i > 0) lines.per_item *= shape[i];
  }
  return lines;
}

void fill_row(const Tensor& tensor, const AxisRows& row, float value) {
  for (std::int64_t i = 0; i < row.length(); ++i) {
    tensor.data<float>()[row.offset() + i * row.step()] = value;
  }
}

}  // namespace

Result<std::vector<Tensor>> dense_input(const Tensor& tensor, std::int64_t axis, Context& ctx) {
  if (const auto along = check_axis(tensor, axis); !along) return along.status();
  const ModelPort f32{.name = "in", .dtype = DType::kF32, .dims = {}};
  Result<Tensor> dense = contiguous_input(f32, tensor, ctx.budget());
  if (!dense) return dense.status();
  if (!tensor.is_contiguous()) ctx.item().count_allocated(dense->size_bytes());
  return std::vector{std::move(*dense)};
}

bool has_nan(const Tensor& tensor) {
  return std::ranges::any_of(tensor.span<float>(), [](float value) { return std::isnan(value); });
}

bool softmax_row(const float* from, std::int64_t from_step, float* to, std::int64_t to_step,
                 std::int64_t length) {
  float largest = -std::numeric_limits<float>::infinity();
  for (std::int64_t i = 0; i < length; ++i) largest = std::max(largest, from[i * from_step]);
  if (!std::isfinite(largest)) return false;
  double sum = 0;
  for (std::int64_t i = 0; i < length; ++i) {
    const float power = std::exp(from[i * from_step] - largest);
    to[i * to_step] = power;
    sum += power;
  }
  if (!std::isfinite(sum)) return false;
  const auto factor = static_cast<float>(1 / sum);
  for (std::int64_t i = 0; i < length; ++i) to[i * to_step] *= factor;
  return true;
}

bool find_largest(const float* row, std::int64_t step, std::int64_t count,
                  std::span<std::int64_t> order) {
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (std::ranges::any_of(order, [&](std::int64_t i) { return std::isnan(row[i * step]); })) {
    return false;
  }
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](std::int64_t a, std::int64_t b) {
                      const float left = row[a * step];
                      const float right = row[b * step];
                      return left != right ? left > right : a < b;
                    });
  return true;
}

Result<gpu::GpuPlan> SoftmaxStep::plan(std::span<const Tensor> inputs) const {
  const Shape& shape = inputs[0].shape();
  const Result<Lines> lines = lines_of(shape, axis_);
  if (!lines) return lines.status();
  sluice_cuda_op op{};
  op.kind = SLUICE_CUDA_OP_SOFTMAX;
  op.inputs = op.outputs = 1;
  op.in[0] = op.out[0] = gpu::dense(SLUICE_CUDA_F32, lines->shape.dims());
  gpu::GpuPlan plan = gpu::plan_of(
      op, {{DType::kF32, shape}, {DType::kF32, {shape[0], lines->per_item}}}, "softmax");

  gpu::Step firsts{};
  firsts.op.kind = SLUICE_CUDA_OP_COPY;
  firsts.op.inputs = firsts.op.outputs = 1;
  firsts.op.in[0] = gpu::part(op.out[0], kAlong, 0, 1);
  firsts.op.out[0] = gpu::dense(SLUICE_CUDA_F32, gpu::dims_of(firsts.op.in[0]));
  firsts.inputs = {{gpu::Place::In::kOutput, 0, 0}};
  firsts.outputs = {{gpu::Place::In::kOutput, 1, 0}};
  firsts.origin = "softmax";
  plan.steps.push_back(std::move(firsts));
  return plan;
}

Status SoftmaxStep::compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs) const {
  const Result<Lines> lines = lines_of(inputs[0].shape(), axis_);
  if (!lines) return lines.status();
  const Tensor from = inputs[0].reshaped(lines->shape);
  const Tensor to = outputs[0].reshaped(lines->shape);
  float* first = outputs[1].data<float>();
  for (AxisRows row(from, kAlong); !row.at_end(); row.next()) {
    if (!softmax_row(from.data<float>() + row.offset(), row.step(), to.data<float>() + row.offset(),
                     row.step(), row.length())) {
      fill_row(to, row, kNan);
    }
    *first++ = to.data<float>()[row.offset()];
  }
  return Status::ok();
}

Result<gpu::GpuPlan> LargestStep::plan(std::span<const Tensor> inputs) const {
  const Shape& shape = inputs[0].shape();
  const Result<Lines> lines = lines_of(shape, axis_);
  if (!lines) return lines.status();
  if (lines->shape[kAlong] < k_) {
    return invalid("tensor.shape", "of " + shape.to_string() + " the " + std::to_string(k_) +
                                       " largest are wanted along axis " +
                                       std::to_string(lines->along));
  }
  const Shape found{lines->shape[0], k_, lines->shape[2]};
  sluice_cuda_op op{};
  op.kind = SLUICE_CUDA_OP_TOPK;
  op.inputs = 1;
  op.outputs = 2;
  op.in[0] = gpu::dense(SLUICE_CUDA_F32, lines->shape.dims());
  op.out[0] = gpu::dense(SLUICE_CUDA_F32, found.dims());
  op.out[1] = gpu::dense(SLUICE_CUDA_I64, found.dims());
  op.as.topk.largest = 1;
  Shape given;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    if (i != lines->along) {
      given.push_back(shape[i]);
    } else if (axis_stays_ == Axis::kStays) {
      given.push_back(k_);
    }
  }
  return gpu::plan_of(op, {{DType::kF32, given}, {DType::kI64, given}}, "the largest");
}

Status LargestStep::compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs) const {
  const Result<Lines> lines = lines_of(inputs[0].shape(), axis_);
  if (!lines) return lines.status();
  const Tensor lined = inputs[0].reshaped(lines->shape);
  const Shape found{lines->shape[0], k_, lines->shape[2]};
  const Tensor values = outputs[0].reshaped(found);
  const Tensor places = outputs[1].reshaped(found);
  std::vector<std::int64_t> order(static_cast<std::size_t>(lines->shape[kAlong]));
  AxisRows to(values, kAlong);
  for (AxisRows from(lined, kAlong); !from.at_end(); from.next(), to.next()) {
    const float* row = lined.data<float>() + from.offset();
    if (!find_largest(row, from.step(), k_, order)) {
      fill_row(values, to, kNan);
      continue;
    }
    for (std::int64_t i = 0; i < k_; ++i) {
      const std::int64_t place = order[static_cast<std::size_t>(i)];
      values.data<float>()[to.offset() + i * to.step()] = row[place * from.step()];
      places.data<std::int64_t>()[to.offset() + i * to.step()] = place;
    }
  }
  return Status::ok();
}

}  // namespace sluice
