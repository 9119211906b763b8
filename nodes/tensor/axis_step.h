#pragma once

#include "sluice/nodes/infer/gpu/step_programs.h"

#include <cstdint>
#include <optional>
#include <span>

// What the nodes that work along one axis share where they run on a device. There a tensor is its
// lines, [outer, n, inner]: n is the axis, the others stand around it.
namespace sluice {

// An item's tensor as lines without gaps, copied only where it has some.
// REQUIRES: check_axis has passed, and `axis` is what it gave.
Result<Tensor> lines_of(const Tensor& tensor, std::size_t axis, Item& item);

// Shares of 1 along each line. A line that gives none becomes NaN.
class SoftmaxStep final : public gpu::DeviceStep {
 public:
  Result<gpu::GpuPlan> plan(std::span<const Tensor> inputs) const override;
  Status compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs) const override;
};

// The `k` largest of each line, in their order, and i64 where they are. Of a line with a NaN the
// first of them is one. REQUIRES: lines of k elements or more.
class LargestStep final : public gpu::DeviceStep {
 public:
  explicit LargestStep(std::int64_t k) : k_(k) {}
  Result<gpu::GpuPlan> plan(std::span<const Tensor> inputs) const override;
  Status compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs) const override;

 private:
  const std::int64_t k_;
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
