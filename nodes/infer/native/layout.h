#pragma once

#include "sluice/nodes/infer/graph/graph.h"
#include "sluice/nodes/infer/graph/resolve.h"
#include "sluice/nodes/infer/native/compile.h"

#include <cstddef>
#include <span>
#include <vector>

namespace sluice::native {

// A graph whose images lie as the kernels want them, and what is known of its values.
struct LaidGraph {
  static constexpr std::size_t kNoWeights = static_cast<std::size_t>(-1);

  graph::Graph graph;
  std::vector<graph::Fact> facts;         // one a value
  std::vector<std::size_t> weights_from;  // one a node: the node it was, kNoWeights for a new one
  // One a node: the 1x1 convolution before it that it computes along with its own, and the
  // depthwise one before that; else kNoWeights.
  std::vector<std::size_t> first_from, depthwise_from;
};

// Turns the convolutions that have weights for it to channels-last images, and what is between
// them along with them: elementwise operations, pools, means over an image, concatenations. Values
// change their order, by a Transpose, only where one that was turned meets one that was not; the
// inputs and outputs of the graph stay as they are. Pairs of 1x1 convolutions of which nobody else
// sees what is between them become one node, with the depthwise one before them if nobody else sees
// its result either. `weights`: one a node; `facts`: one a value.
LaidGraph lay_out_images(const graph::Graph& graph, std::span<const PackedWeights> weights,
                         std::vector<graph::Fact> facts);

// The order of axes that a Transpose has for it: [N,C,...] to [N,...,C], and back.
std::vector<std::int64_t> to_channels_last(std::size_t rank);
std::vector<std::int64_t> to_planar(std::size_t rank);

// The shape with its axes in that order: axis i is axis order[i] of `shape`.
Shape permuted(const Shape& shape, std::span<const std::int64_t> order);

}  // namespace sluice::native
