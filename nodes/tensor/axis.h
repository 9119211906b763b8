#pragma once

#include "sluice/core/resolve.h"
#include "sluice/core/tensor.h"

#include <optional>
#include <string>

// What the nodes that work along one axis of a tensor share.
namespace sluice {

// The option all of them have.
Option<int> axis_option();

// Which axis of a tensor of that rank the option means; none where it has no such axis.
std::optional<std::size_t> axis_of(std::int64_t option, std::size_t rank);

// Checks at plan time that the wired tensor is f32 and has the axis, and reports what is wrong.
// Gives the tensor's type and the axis as far as they are known.
struct PlannedAxis {
  std::optional<std::vector<Dim>> dims;
  std::string layout;
  std::size_t axis = 0;  // where dims are known
};
PlannedAxis plan_axis(Resolve& plan, const In<Tensor>& input, const Option<int>& axis);

// The same for an item: tensor.shape where it has no such axis, no elements along it, or other
// elements than f32.
Result<std::size_t> check_axis(const Tensor& tensor, std::int64_t option);
Result<std::size_t> check_axis(const Shape& f32, std::int64_t option);

// Walks over the rows of a tensor along one axis: what is left when the other axes stand still.
// Rows come in the order of the other axes, the last one fastest; strides may be any.
//   for (AxisRows rows(tensor, axis); !rows.at_end(); rows.next()) { rows.offset() ... }
class AxisRows {
 public:
  AxisRows(const Tensor& tensor, std::size_t axis);

  bool at_end() const { return at_end_; }
  void next();
  std::int64_t offset() const { return offset_; }  // of the row's first element, in elements
  std::int64_t step() const { return step_; }      // between the row's elements, in elements
  std::int64_t length() const { return length_; }

 private:
  Shape extents_;  // of the other axes
  Shape strides_;
  Shape place_;
  std::int64_t offset_ = 0;
  std::int64_t step_ = 0;
  std::int64_t length_ = 0;
  bool at_end_ = false;
};

}  // namespace sluice
