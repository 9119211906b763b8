#include "sluice/core/registry.h"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>

namespace sluice {
namespace {

std::map<std::string_view, NodeType, std::less<>>& registry() {
  static auto& types = *new std::map<std::string_view, NodeType, std::less<>>;
  return types;
}

}  // namespace

bool register_node_type(NodeType type) {
  if (!registry().emplace(type.spec->type(), type).second) {
    std::fprintf(stderr, "sluice: node type `%s` is registered twice\n", type.spec->type().c_str());
    std::abort();
  }
  return true;
}

const NodeType* find_node_type(std::string_view type) {
  const auto found = registry().find(type);
  return found == registry().end() ? nullptr : &found->second;
}

std::vector<const NodeType*> node_types() {
  std::vector<const NodeType*> types;
  types.reserve(registry().size());
  for (const auto& [name, type] : registry()) types.push_back(&type);
  return types;
}

}  // namespace sluice
