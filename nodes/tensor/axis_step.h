#pragma once

#include "sluice/core/node.h"
#include "sluice/nodes/infer/gpu/step_programs.h"

#include <cstdint>
#include <span>
#include <vector>

// What the nodes that work along one axis share where they run on a device. There the tensors of
// several items are lines, [outer, n, inner]: n is the axis, the others stand around it.
namespace sluice {

// An item's tensor without gaps, copied only where it has some. Errors: those of check_axis;
// memory.limit.
Result<std::vector<Tensor>> dense_input(const Tensor& tensor, std::int64_t axis, Context& ctx);

// Shares of 1 along an axis of the items. A line that gives none becomes NaN. Gives the first share
// of each line as well, which tells of that.
class SoftmaxStep final : public gpu::DeviceStep {
 public:
  // `axis`: as the option says it, of an item.
  explicit SoftmaxStep(std::int64_t axis) : axis_(axis) {}
  Result<gpu::GpuPlan> plan(std::span<const Tensor> inputs) const override;
  Status compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs) const override;

 private:
  const std::int64_t axis_;
};

// The `k` largest of each line, in their order, and i64 where they are. Of a line with a NaN the
// first of them is one. REQUIRES: lines of k elements or more.
class LargestStep final : public gpu::DeviceStep {
 public:
  // Of one, the axis is gone.
  enum class Axis { kStays, kGoes };
  LargestStep(std::int64_t axis, std::int64_t k, Axis axis_stays = Axis::kStays)
      : axis_(axis), k_(k), axis_stays_(axis_stays) {}
  Result<gpu::GpuPlan> plan(std::span<const Tensor> inputs) const override;
  Status compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs) const override;

 private:
  const std::int64_t axis_;
  const std::int64_t k_;
  const Axis axis_stays_;
};

bool has_nan(const Tensor& tensor);

// exp(x - largest) / sum: the largest is taken off first, so that nothing overflows. False where
// the row gives no shares.
bool softmax_row(const float* from, std::int64_t from_step, float* to, std::int64_t to_step,
                 std::int64_t length);
// The places of the `count` largest of a row come first in `order`, which has a place for each of
// its elements. False where it holds a NaN.
bool find_largest(const float* row, std::int64_t step, std::int64_t count,
                  std::span<std::int64_t> order);

}  // namespace sluice
