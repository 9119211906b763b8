#include "sluice/core/payloads.h"
#include "sluice/graphs/planner.h"

#include <algorithm>
#include <utility>
#include <vector>

// Which nodes of a plan run as one piece of work on their device.

namespace sluice {
namespace {

bool has_lanes(const PlanNode& node) { return node.execution() == ExecutionClass::kLanes; }

// The one edge by which a node reads all it reads; null where there are several.
const PlanEdge* only_input(const Plan& plan, const PlanNode& node) {
  const PlanEdge* only = nullptr;
  for (const PlanInput& input : node.inputs) {
    for (const std::size_t edge : input.edges) {
      if (only != nullptr) return nullptr;
      only = &plan.edges[edge];
    }
  }
  return only;
}

bool passes_floats(const PlanEdge& edge) {
  return edge.type.payload == &payload_type<Tensor>() && edge.type.tensor &&
         edge.type.tensor->dtype == DType::kF32;
}

// One host does for both what the words of each ask for: what they say of queues in between is of
// no account there, and what they say of calls must not differ.
bool have_fitting_words(const CommonOptions& a, const CommonOptions& b) {
  const auto fits = [](int x, int y) { return x == 0 || y == 0 || x == y; };
  return a.device == b.device && a.order == b.order && a.on_error == b.on_error &&
         a.gpu_timeout == b.gpu_timeout && b.when_full == WhenFull::kBlock &&
         fits(a.streams, b.streams) && fits(a.parallel, b.parallel);
}

bool have_fitting_batches(const PlanNode& a, const PlanNode& b) {
  const Stacking &x = a.ports.stacking, &y = b.ports.stacking;
  if (!x.fuses || !y.fuses) return false;
  if (x.is_fixed && y.most < x.most) return false;
  if (y.is_fixed && x.most < y.most) return false;
  if (!a.spec().takes_batches() || !b.spec().takes_batches()) return true;
  return a.common.batch_max == b.common.batch_max && a.common.batch_wait == b.common.batch_wait;
}

bool fit(const PlanNode& before, const PlanNode& after) {
  return have_fitting_words(before.common, after.common) && have_fitting_batches(before, after);
}

}  // namespace

// A node joins the chain of its writer, where it fits all that are in it.
void Planner::fuse(Plan& plan) {
  std::vector<std::vector<std::size_t>> chains(plan.nodes.size());  // by their last node
  for (std::size_t n = 0; n < plan.nodes.size(); ++n) {
    const PlanNode& node = plan.nodes[n];
    if (!has_lanes(node)) continue;
    chains[n] = {n};
    const PlanEdge* const edge = only_input(plan, node);
    if (edge == nullptr || !passes_floats(*edge)) continue;
    PlanNode& writer = plan.nodes[edge->from_node];
    std::vector<std::size_t>& chain = chains[edge->from_node];
    const bool fits_all = std::ranges::all_of(
        chain, [&](std::size_t before) { return fit(plan.nodes[before], node); });
    if (chain.empty() || !fits_all || edge->scope != writer.scope) continue;
    writer.fused = Fusion{edge->from_output, n};
    chain.push_back(n);
    chains[n] = std::exchange(chain, {});
  }
}

// A node that does little with an item, less than the way to a device costs, was put there only to
// be fused with one that does much.
void Planner::call_back_alone(Plan& plan) {
  for (std::size_t n = 0; n < plan.nodes.size(); ++n) {
    const std::vector<std::size_t> chain = plan.chain_from(n);
    const bool is_worth_it = std::ranges::any_of(chain, [&](std::size_t node) {
      return plan.nodes[node].spec().takes_batches() || !plan.nodes[node].common.device_is_chosen;
    });
    if (is_worth_it) continue;
    for (const std::size_t i : chain) {
      PlanNode& node = plan.nodes[i];
      if (!has_lanes(node) || !node.common.device_is_chosen) continue;
      node.ports.execution.reset();
      node.common.device = "auto";
      node.common.device_is_chosen = false;
      node.fused.reset();
    }
  }
}

}  // namespace sluice
