#pragma once

#include "sluice/core/node.h"
#include "sluice/core/tensor.h"

#include <cstddef>
#include <cstdint>
#include <span>

// Items' tensors on their way into a run of a model and out of it: padded, with a batch axis, and
// cut back.
namespace sluice {

// Copies the leading part of `from` that both shapes have in common. Both are contiguous.
void copy_common(const std::byte* from, std::span<const std::int64_t> from_dims, std::byte* to,
                 std::span<const std::int64_t> to_dims, std::size_t element_bytes);

// The leading part of `whole` that has this shape; shares the bytes where they lie together.
// Errors: those of Item::allocate_tensor.
Result<Tensor> cut(const Tensor& whole, const Shape& shape, Item& item);

}  // namespace sluice
