#pragma once

#include "sluice/core/registry.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

// The splits that are open on an edge. Scope 0.. are numbered per plan.
struct Scope {
  std::string name;           // "files/box"
  int parent = -1;            // the scope around; -1 at the outermost
  int depth = 0;              // splits open
  std::size_t opened_by = 0;  // the node that opens it: a source, a split, a merge of sources
};

// One reader of one output.
struct PlanEdge {
  std::size_t from_node = 0;
  std::size_t from_output = 0;
  std::size_t to_node = 0;
  std::size_t to_input = 0;
  int scope = 0;
  PortType type;  // as the writer gives it
};

struct PlanInput {
  std::vector<std::size_t> edges;  // empty: unwired; several: a merge
  int scope = -1;                  // after the merge
  // Several writers of one scope, exclusive ports of one node, keep their numbers; writers from
  // different sources are numbered anew.
  bool renumbers = false;
};

// That a node's output goes to a reader on the device both run on, as part of one piece of work.
struct Fusion {
  std::size_t output = 0;
  std::size_t reader = 0;  // reads nothing else
};

struct PlanNode {
  std::string name;  // as in the file; inner names of subgraphs after '/'
  const NodeType* type = nullptr;
  AnyNode node;
  Options options;
  CommonOptions common;
  Ports ports;
  std::vector<PlanInput> inputs;   // one a port
  std::vector<bool> wanted;        // per output: whether anybody reads it
  std::vector<bool> stays;         // per output: its tensors stay on the node's device
  std::vector<int> output_scopes;  // per output
  int scope = 0;                   // the innermost of its inputs; of a source, its own
  std::optional<Fusion> fused;     // with the node behind it

  const Spec& spec() const { return *type->spec; }
  ExecutionClass execution() const { return ports.execution.value_or(spec().execution()); }
};

// Where rejected items are written, and how many are too many.
struct RejectsPlan {
  std::string path;  // empty: not written
  std::optional<std::uint64_t> max_items;
  std::optional<double> max_share;  // 0..1, judged from 1,000 items on and at the end
};

// A checked graph: every node resolved, every edge typed, ready to run. Nodes stand in topological
// order. Movable, not copyable: it owns its nodes.
struct Plan {
  std::string name;
  std::string file;  // it came from; empty for one built in C++
  std::vector<PlanNode> nodes;
  std::vector<PlanEdge> edges;
  std::vector<Scope> scopes;
  RejectsPlan rejects;
  std::uint64_t memory_bytes = 2ull << 30;  // limit on what items in flight may hold
  int max_in_flight = 64;                   // items a source has on their way at most

  bool is_fused(const PlanEdge& edge) const {
    const std::optional<Fusion>& fused = nodes[edge.from_node].fused;
    return fused && fused->reader == edge.to_node && fused->output == edge.from_output;
  }
  // Whether what is on the edge is in a device's memory.
  bool is_on_device(const PlanEdge& edge) const {
    const std::vector<bool>& stays = nodes[edge.from_node].stays;
    return is_fused(edge) || (edge.from_output < stays.size() && stays[edge.from_output]);
  }
  // Each node, with those it is fused with in their order, where its chain begins; else nothing.
  std::vector<std::size_t> chain_from(std::size_t node) const;
};

}  // namespace sluice
