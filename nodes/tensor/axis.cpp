#include "sluice/nodes/tensor/axis.h"

#include <algorithm>

namespace sluice {

Option<int> axis_option() {
  return Option<int>("axis", "along which axis; 0 is the first, -1 the last")
      .range(-static_cast<double>(Shape::kMaxRank), Shape::kMaxRank - 1)
      .or_default(-1);
}

std::optional<std::size_t> axis_of(std::int64_t option, std::size_t rank) {
  const auto axes = static_cast<std::int64_t>(rank);
  const std::int64_t axis = option < 0 ? option + axes : option;
  if (axis < 0 || axis >= axes) return std::nullopt;
  return static_cast<std::size_t>(axis);
}

PlannedAxis plan_axis(Resolve& plan, const In<Tensor>& input, const Option<int>& axis) {
  PlannedAxis planned;
  const PortType* wired = plan.wired(input);
  if (!wired || !wired->tensor) return planned;
  planned.layout = wired->tensor->layout;
  if (!wired->tensor->dims) return planned;

  const std::vector<Dim>& dims = *wired->tensor->dims;
  const auto found = axis_of(plan.option(axis), dims.size());
  if (!found) {
    const std::string rank = std::to_string(dims.size());
    plan.option_problem(axis, "SL0209",
                        "`axis` is " + std::to_string(plan.option(axis)) + ", and the tensor is " +
                            wired->to_string(),
                        dims.empty() ? "a tensor without axes has none to work along"
                                     : "axes are 0.." + std::to_string(dims.size() - 1) +
                                           ", or -1..-" + rank + " from the end");
    return planned;
  }
  if (dims[*found].size == 0) {
    plan.input_problem(
        input.name(), "SL0403",
        "axis " + std::to_string(*found) + " of " + wired->to_string() + " has no elements", "");
    return planned;
  }
  planned.dims = dims;
  planned.axis = *found;
  return planned;
}

namespace {

Result<std::size_t> check(DType dtype, const Shape& shape, std::int64_t option) {
  const auto axis = axis_of(option, shape.rank());
  if (!axis || dtype != DType::kF32 || shape[*axis] == 0) {
    return invalid("tensor.shape", "the tensor is " + std::string(to_string(dtype)) + " " +
                                       shape.to_string() + ", expected f32 with elements along " +
                                       "axis " + std::to_string(option));
  }
  return *axis;
}

}  // namespace

Result<std::size_t> check_axis(const Tensor& tensor, std::int64_t option) {
  return check(tensor.dtype(), tensor.shape(), option);
}

Result<std::size_t> check_axis(const Shape& f32, std::int64_t option) {
  return check(DType::kF32, f32, option);
}

AxisRows::AxisRows(const Tensor& tensor, std::size_t axis)
    : step_(tensor.strides()[axis]),
      length_(tensor.shape()[axis]),
      at_end_(tensor.elements() == 0) {
  for (std::size_t i = 0; i < tensor.shape().rank(); ++i) {
    if (i == axis) continue;
    extents_.push_back(tensor.shape()[i]);
    strides_.push_back(tensor.strides()[i]);
    place_.push_back(0);
  }
}

void AxisRows::next() {
  for (std::size_t i = extents_.rank(); i-- > 0;) {
    offset_ += strides_[i];
    if (++place_[i] < extents_[i]) return;
    offset_ -= strides_[i] * extents_[i];
    place_[i] = 0;
  }
  at_end_ = true;
}

}  // namespace sluice
