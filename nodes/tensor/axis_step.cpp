#include "sluice/nodes/tensor/axis_step.h"

#include "sluice/nodes/infer/gpu/view.h"
#include "sluice/nodes/infer/session_inputs.h"
#include "sluice/nodes/tensor/axis.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace sluice {
namespace {

constexpr std::size_t kAlong = 1;  // of the axes of lines
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

void fill_row(const Tensor& tensor, const AxisRows& row, float value) {
  for (std::int64_t i = 0; i < row.length(); ++i) {
    tensor.data<float>()[row.offset() + i * row.step()] = value;
  }
}

}  // namespace

Result<Tensor> lines_of(const Tensor& tensor, std::size_t axis, Item& item) {
  const Shape& shape = tensor.shape();
  Shape lines{1, shape[axis], 1};
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    if (i != axis) lines[i < axis ? 0 : 2] *= shape[i];
  }
  const ModelPort f32{.name = "in", .dtype = DType::kF32, .dims = {}};
  Result<Tensor> dense = contiguous_input(f32, tensor, item.budget());
  if (!dense) return dense;
  if (!tensor.is_contiguous()) item.count_allocated(dense->size_bytes());
  return dense->reshaped(lines);
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
  const Shape& lines = inputs[0].shape();
  sluice_cuda_op op{};
  op.kind = SLUICE_CUDA_OP_SOFTMAX;
  op.inputs = op.outputs = 1;
  op.in[0] = op.out[0] = gpu::dense(SLUICE_CUDA_F32, lines.dims());
  return gpu::plan_of(op, {{DType::kF32, lines}}, "softmax");
}

Status SoftmaxStep::compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs) const {
  for (AxisRows row(inputs[0], kAlong); !row.at_end(); row.next()) {
    if (!softmax_row(inputs[0].data<float>() + row.offset(), row.step(),
                     outputs[0].data<float>() + row.offset(), row.step(), row.length())) {
      fill_row(outputs[0], row, kNan);
    }
  }
  return Status::ok();
}

Result<gpu::GpuPlan> LargestStep::plan(std::span<const Tensor> inputs) const {
  const Shape& lines = inputs[0].shape();
  const Shape found{lines[0], k_, lines[2]};
  sluice_cuda_op op{};
  op.kind = SLUICE_CUDA_OP_TOPK;
  op.inputs = 1;
  op.outputs = 2;
  op.in[0] = gpu::dense(SLUICE_CUDA_F32, lines.dims());
  op.out[0] = gpu::dense(SLUICE_CUDA_F32, found.dims());
  op.out[1] = gpu::dense(SLUICE_CUDA_I64, found.dims());
  op.as.topk.largest = 1;
  return gpu::plan_of(op, {{DType::kF32, found}, {DType::kI64, found}}, "the largest");
}

Status LargestStep::compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs) const {
  std::vector<std::int64_t> order(static_cast<std::size_t>(inputs[0].shape()[kAlong]));
  AxisRows to(outputs[0], kAlong);
  for (AxisRows from(inputs[0], kAlong); !from.at_end(); from.next(), to.next()) {
    const float* row = inputs[0].data<float>() + from.offset();
    if (!find_largest(row, from.step(), k_, order)) {
      fill_row(outputs[0], to, kNan);
      continue;
    }
    for (std::int64_t i = 0; i < k_; ++i) {
      const std::int64_t place = order[static_cast<std::size_t>(i)];
      outputs[0].data<float>()[to.offset() + i * to.step()] = row[place * from.step()];
      outputs[1].data<std::int64_t>()[to.offset() + i * to.step()] = place;
    }
  }
  return Status::ok();
}

}  // namespace sluice
