#pragma once

#include "sluice/nodes/infer/graph/graph.h"
#include "sluice/nodes/infer/graph/resolve.h"

#include <functional>
#include <span>
#include <vector>

namespace sluice::graph {

// The shapes of a node's outputs, one each, for operands of known shape.
// Errors: infer.shape, infer.values (see resolve.h); messages name the node.
Result<std::vector<Shape>> output_shapes(const Node& node, Operands operands);

// Computes one node whose operands' values are all known; an engine supplies it. Folding of
// constants and arithmetic on shapes both go through it. `outputs` says what is due; a tensor for
// each comes back.
using Evaluate = std::function<Result<std::vector<Tensor>>(const Node& node, Operands operands,
                                                           std::span<const Fact> outputs)>;

// Shape and element type of a node's outputs.
std::vector<Fact> output_facts(const Graph& graph, const Node& node, std::span<const Shape> shapes);

// What is known of every value of the graph, by ValueId, when the inputs are these. Values that
// follow from shapes alone (Shape, and what is computed from it) are computed on the way, as long
// as they are small.
Result<std::vector<Fact>> infer_facts(const Graph& graph, std::span<const Fact> inputs,
                                      const Evaluate& evaluate);

// The shapes of the graph's outputs for inputs of these shapes.
// Errors: infer.shape; infer.values where a shape depends on the inputs' values.
Result<std::vector<Shape>> infer_output_shapes(const Graph& graph, std::span<const Shape> inputs,
                                               const Evaluate& evaluate);

// Inputs whose values some shape depends on, in order: one flag an input. For these a caller has to
// give the values to infer_facts.
std::vector<char> inputs_that_shape(const Graph& graph);

// The outputs' dimensions with symbols, as far as they are the same for whatever the inputs'
// symbols stand for: a number, one of the inputs' symbols, or else what the file declares.
// Found by inferring shapes for several sizes, which sees through whatever arithmetic the file
// does.
std::vector<ModelPort> infer_ports(const Graph& graph, const Evaluate& evaluate);

}  // namespace sluice::graph
