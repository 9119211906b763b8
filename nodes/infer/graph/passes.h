#pragma once

#include "sluice/core/status.h"
#include "sluice/nodes/infer/graph/graph.h"
#include "sluice/nodes/infer/graph/shape_inference.h"

// Rewrites of a graph that keep what it computes. None of them needs the inputs' shapes.
namespace sluice::graph {

// All of the passes below, in the order that lets each see what it looks for.
// Errors: those of computing constants (infer.shape, model.invalid).
Status optimize(Graph& graph, const Evaluate& evaluate);

// Computes nodes of which every operand is constant. Large results are left to the run.
Status fold_constants(Graph& graph, const Evaluate& evaluate);

// Removes Identity, and Add of 0 and Mul by 1 where the constant is a scalar.
void remove_identities(Graph& graph);

// Removes nodes and outputs of nodes that nothing reads.
void remove_dead(Graph& graph);

// Finds operations that were written out: Gelu by erf, LayerNormalization, x * sigmoid(x), and
// hard-swish as x * HardSigmoid(x) or as Add, Clip, Mul, Div. Writes x * s + x as x * (s + 1).
void fuse_patterns(Graph& graph);

// Folds BatchNormalization and arithmetic with one constant a channel into the weights and the bias
// of the convolution before it, and an Add of a row into the MatMul before it.
Status fold_into_weights(Graph& graph);

// Lets Conv, ConvTranspose, Gemm, MatMul and what is left of BatchNormalization apply the
// activation that follows them.
void fuse_activations(Graph& graph);

// Lets Conv scale and shift, by one number each, what its activation gives, as the Mul and the Add
// after it do.
void fuse_scales(Graph& graph);

// Lets Conv add another tensor to its result, as an Add after it does, and apply the activation
// that follows that.
void fuse_residuals(Graph& graph);

}  // namespace sluice::graph
