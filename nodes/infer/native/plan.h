#pragma once

#include "sluice/core/status.h"
#include "sluice/core/tensor.h"
#include "sluice/nodes/infer/graph/graph.h"
#include "sluice/nodes/infer/graph/shape_inference.h"
#include "sluice/nodes/infer/native/compile.h"

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace sluice::native {

// Where a value lies while a plan runs: so many bytes into a constant, an input, an output or the
// session's arena.
struct Place {
  enum class In : std::uint8_t { kNowhere, kConstant, kInput, kOutput, kArena };
  In in = In::kNowhere;
  std::size_t index = 0;  // of the constant, input or output
  std::size_t offset = 0;
};

// One call of a kernel. Its operands are places first_operand.. of the plan, inputs before outputs.
struct Step {
  Kernel run;
  std::size_t first_operand = 0;
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  Place scratch;
  std::string origin;
  const char* algorithm = "";
};

// A model for inputs of one shape: every kernel bound to its parameters, every value to its place.
// Immutable; holds no memory to compute in, so that any number of sessions can run it.
struct Plan {
  std::vector<Step> steps;
  std::vector<Place> operands;
  std::vector<Tensor> constants;
  std::size_t arena_bytes = 0;

  struct Output {
    DType dtype = DType::kF32;
    Shape shape;
    Place source;  // copied from there; kNowhere when a step writes it in place
  };
  std::vector<Output> outputs;
};

// Values that need no computing are views of others, elementwise nodes overwrite an operand that
// nobody reads again, parts of a Concat are computed in their place of it, outputs of the model are
// written where they are delivered; the rest shares an arena by the time it is needed.
// `weights`: one a node. `inputs`: shapes, and values where inputs_that_shape asks for them.
// Errors: infer.shape, infer.values, infer.unsupported.
Result<std::shared_ptr<const Plan>> make_plan(const graph::Graph& graph,
                                              std::span<const PackedWeights> weights,
                                              std::span<const graph::Fact> inputs);

}  // namespace sluice::native
