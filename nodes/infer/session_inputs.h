#pragma once

#include "sluice/core/model.h"

#include <memory>
#include <span>

namespace sluice {

// What every backend asks of the tensors that a session is given, with one wording.

// Errors: infer.shape when the number of inputs, a rank or an extent is not what the ports declare.
// `is_read`, where given: inputs that nothing reads may have any shape.
Status check_shapes(std::span<const ModelPort> ports, std::span<const Shape> shapes,
                    std::span<const char> is_read = {});

// An input in row-major order, copied where it is not. Errors: infer.shape for a wrong element
// type; memory.limit.
Result<Tensor> contiguous_input(const ModelPort& port, const Tensor& given,
                                const std::shared_ptr<MemoryBudget>& budget);

}  // namespace sluice
