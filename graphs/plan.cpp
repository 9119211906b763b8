#include "sluice/graphs/plan.h"

#include <algorithm>

namespace sluice {

std::vector<std::size_t> Plan::chain_from(std::size_t node) const {
  const bool is_inside = std::ranges::any_of(
      nodes, [&](const PlanNode& writer) { return writer.fused && writer.fused->reader == node; });
  if (is_inside) return {};
  std::vector<std::size_t> chain{node};
  while (nodes[chain.back()].fused) chain.push_back(nodes[chain.back()].fused->reader);
  return chain;
}

}  // namespace sluice
