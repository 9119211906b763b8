#pragma once

#include "sluice/nodes/infer/graph/graph.h"
#include "sluice/nodes/infer/graph/resolve.h"

#include <map>
#include <span>
#include <vector>

namespace sluice::gpu {

// softmax(scale * q k^T + mask) v, written out as products, a softmax and what is between.
struct Attention {
  graph::ValueId q = graph::kNoValue;     // [batch, heads, Sq, D]
  graph::ValueId kt = graph::kNoValue;    // [batch, heads, D, Sk]
  graph::ValueId v = graph::kNoValue;     // [batch, heads, Sk, D]
  graph::ValueId mask = graph::kNoValue;  // added; broadcast to [batch, heads, Sq, Sk]
  float scale = 1.0F;
};

// The attentions of a graph: of which node each is the last, and what nodes it is made of.
struct AttentionPatterns {
  std::map<const graph::Node*, Attention> ends;
  std::vector<char> is_part;  // by node; not the last ones
};

AttentionPatterns find_attentions(const graph::Graph& graph, std::span<const graph::Fact> facts);

}  // namespace sluice::gpu
