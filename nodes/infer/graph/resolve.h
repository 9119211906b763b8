#pragma once

#include "sluice/core/status.h"
#include "sluice/core/tensor.h"
#include "sluice/nodes/infer/graph/operation.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// What an operation's attributes come to for operands of known shape: negative axes counted, pads
// worked out, defaults filled in. Shape inference and the engines share these, so that they agree.
// Errors everywhere: infer.shape when the operands do not fit the operation; infer.values
// (unsupported) when an operand's values are needed and not known.
namespace sluice::graph {

// What is known of a value before anything runs.
struct Fact {
  Shape shape;
  DType dtype = DType::kF32;
  std::optional<Tensor> value;
};

// One an operand; null where an optional one is not there.
using Operands = std::span<const Fact* const>;

inline const Fact* operand(Operands operands, std::size_t index) {
  return index < operands.size() ? operands[index] : nullptr;
}

// The shape with every extent checked: none negative, and few enough elements that sizes in bytes
// cannot overflow.
Result<Shape> checked(const Shape& shape);
Result<Shape> checked(std::span<const std::int64_t> dims);

// The axis counted from the front. REQUIRES nothing of the axis; `rank` is the number of axes.
Result<std::size_t> resolve_axis(std::int64_t axis, std::size_t rank);

// The elements of an integer operand, whose values must be known.
Result<std::vector<std::int64_t>> integers_of(Operands operands, std::size_t index);
Result<std::vector<float>> numbers_of(Operands operands, std::size_t index);

Result<Shape> broadcast(const Shape& a, const Shape& b);

// A window along one spatial axis.
struct WindowAxis {
  std::int64_t in = 0;
  std::int64_t out = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t pad_begin = 0;
  std::int64_t pad_end = 0;
  std::int64_t output_pad = 0;  // ConvTranspose only
};
Result<std::vector<WindowAxis>> resolve(const Conv& conv, Operands operands);
Result<std::vector<WindowAxis>> resolve(const ConvTranspose& conv, Operands operands);
Result<std::vector<WindowAxis>> resolve(const Pool& pool, Operands operands);

// Axes that are reduced, ascending, none twice.
Result<std::vector<std::int64_t>> resolve(const Reduce& reduce, Operands operands);

// One entry an axis of the input.
struct SliceRange {
  std::vector<std::int64_t> starts, steps, extents;
};
Result<SliceRange> resolve(const Slice& slice, Operands operands);

// Extents of the parts along the axis.
Result<std::vector<std::int64_t>> resolve(const Split& split, Operands operands,
                                          std::size_t outputs);

struct PadAmounts {
  std::vector<std::int64_t> before, after;  // one an axis; negative cuts
};
Result<PadAmounts> resolve(const Pad& pad, Operands operands);

struct ResizeExtents {
  std::vector<float> scales;  // one an axis
  std::vector<float> roi;     // empty unless it crops: starts, then ends
  Shape out;
};
Result<ResizeExtents> resolve(const Resize& resize, Operands operands);

// One an axis of the input: output axis i is input axis permutation[i].
Result<std::vector<std::int64_t>> resolve(const Transpose& transpose, Operands operands);

}  // namespace sluice::graph
