#pragma once

#include "sluice/core/model.h"

#include <memory>
#include <span>
#include <vector>

namespace sluice {

// What every backend asks of the tensors that a session is given, with one wording.

// Errors: infer.shape when the number of inputs, a rank or an extent is not what the ports declare.
// `is_read`, where given: inputs that nothing reads may have any shape.
Status check_shapes(std::span<const ModelPort> ports, std::span<const Shape> shapes,
                    std::span<const char> is_read = {});

// The inputs in row-major order, copied where they are not. Their number is left to check_shapes.
// Errors: infer.shape for a wrong element type; memory.limit.
Result<std::vector<Tensor>> contiguous_inputs(std::span<const ModelPort> ports,
                                              std::span<const Tensor> given,
                                              const std::shared_ptr<MemoryBudget>& budget);

}  // namespace sluice
