#pragma once

#include <concepts>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/core/flow_node.h"
#include "sluice/core/node.h"

namespace sluice {

using AnyNode = std::variant<std::unique_ptr<Node>, std::unique_ptr<FlowNode>>;

// A node type: its spec and how to make one.
struct NodeType {
  const Spec* spec;
  AnyNode (*make)();
};

// Adds a node type to the process-wide registry. Static initialisation only; a type that is registered
// twice ends the program with a message.
bool register_node_type(NodeType type);

// The last line of a node's file: `[[maybe_unused]] const bool kRegistered = register_node<MyNode>();`
template <class T>
  requires std::derived_from<T, Node> || std::derived_from<T, FlowNode>
bool register_node() {
  return register_node_type({&T::kSpec, []() -> AnyNode {
    if constexpr (std::derived_from<T, Node>) {
      return std::unique_ptr<Node>(std::make_unique<T>());
    } else {
      return std::unique_ptr<FlowNode>(std::make_unique<T>());
    }
  }});
}

// Null where there is none of that name.
const NodeType* find_node_type(std::string_view type);
// All, sorted by name.
std::vector<const NodeType*> node_types();

}  // namespace sluice
