#include "sluice/nodes/infer/native/storage.h"

#include <algorithm>
#include <cassert>

namespace sluice::native {
namespace {

// True when the axes longer than 1 keep their order, so that no element moves.
bool keeps_order(const Shape& x, std::span<const std::int64_t> permutation) {
  std::int64_t last = -1;
  for (std::int64_t axis : permutation) {
    if (x[static_cast<std::size_t>(axis)] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

// The first element of a slice that is one run of the input's elements.
std::optional<std::int64_t> run_start(const Shape& x, const graph::SliceRange& range) {
  std::int64_t start = 0;
  bool is_whole = true;  // the axes further in are whole
  for (std::size_t i = x.rank(); i-- > 0;) {
    std::int64_t stride = 1;
    for (std::size_t j = i + 1; j < x.rank(); ++j) stride *= x[j];
    start += range.starts[i] * stride;
    if (range.extents[i] != 1 && (!is_whole || range.steps[i] != 1)) return std::nullopt;
    is_whole = is_whole && range.extents[i] == x[i];
    if (!is_whole) {
      // Only single elements may follow further out.
      for (std::size_t j = 0; j < i; ++j) {
        if (range.extents[j] != 1) return std::nullopt;
      }
    }
  }
  return start;
}

}  // namespace

Storage::Location Storage::locate(graph::ValueId id) const {
  Location location{static_cast<std::size_t>(id), 0};
  while (parent_[location.root].root != location.root) {
    location.offset += parent_[location.root].offset;
    location.root = parent_[location.root].root;
  }
  return location;
}

void Storage::place(graph::ValueId id, graph::ValueId into, std::size_t offset) {
  assert(parent_[static_cast<std::size_t>(id)].root == static_cast<std::size_t>(id));
  const Location target = locate(into);
  assert(target.root != static_cast<std::size_t>(id));
  parent_[static_cast<std::size_t>(id)] = {target.root, target.offset + offset};
}

std::optional<std::vector<std::size_t>> view_offsets(const graph::Node& node,
                                                     graph::Operands operands,
                                                     std::span<const graph::Fact> outputs) {
  const std::vector<std::size_t> same{0};
  const auto& operation = node.operation;
  if (std::holds_alternative<graph::Reshape>(operation) ||
      std::holds_alternative<graph::Flatten>(operation) ||
      std::holds_alternative<graph::Squeeze>(operation) ||
      std::holds_alternative<graph::Unsqueeze>(operation) ||
      std::holds_alternative<graph::Identity>(operation)) {
    return same;
  }
  if (operands.empty() || operands[0] == nullptr) return std::nullopt;
  const Shape& x = operands[0]->shape;
  const std::size_t bytes = size_of(operands[0]->dtype);
  if (const auto* cast = std::get_if<graph::Cast>(&operation)) {
    if (cast->to == operands[0]->dtype) return same;
  }
  if (std::holds_alternative<graph::Expand>(operation) ||
      std::holds_alternative<graph::Concat>(operation)) {
    if (outputs[0].shape.elements() == x.elements() && operands.size() < 3) {
      if (std::holds_alternative<graph::Expand>(operation) || operands.size() == 1) return same;
    }
  }
  if (const auto* transpose = std::get_if<graph::Transpose>(&operation)) {
    const auto permutation = graph::resolve(*transpose, operands);
    if (permutation && keeps_order(x, *permutation)) return same;
  }
  if (const auto* slice = std::get_if<graph::Slice>(&operation)) {
    const auto range = graph::resolve(*slice, operands);
    if (!range || outputs[0].shape.elements() == 0) return std::nullopt;
    const auto start = run_start(x, *range);
    if (!start) return std::nullopt;
    return std::vector<std::size_t>{static_cast<std::size_t>(*start) * bytes};
  }
  if (const auto* split = std::get_if<graph::Split>(&operation)) {
    const auto axis = graph::resolve_axis(split->axis, x.rank());
    if (!axis) return std::nullopt;
    for (std::size_t i = 0; i < *axis; ++i) {
      if (x[i] != 1) return std::nullopt;
    }
    std::vector<std::size_t> offsets;
    std::size_t next = 0;
    for (const graph::Fact& output : outputs) {
      offsets.push_back(next);
      next += static_cast<std::size_t>(output.shape.elements()) * bytes;
    }
    return offsets;
  }
  return std::nullopt;
}

}  // namespace sluice::native
