#include "sluice/core/payloads.h"
#include "sluice/graphs/planner.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

// Which nodes of a plan run as one piece of work on their device, and which tensors stay on it.

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

// Where the type is not known it is looked at in the run.
bool may_pass_floats(const PlanEdge& edge) {
  return edge.type.payload == &payload_type<Tensor>() &&
         (!edge.type.tensor || !edge.type.tensor->dtype || passes_floats(edge));
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
    const bool is_unseen = writer.ports.stacking.gives_unseen && node.ports.stacking.takes_unseen;
    if (chain.empty() || !is_unseen || !fits_all || edge->scope != writer.scope) continue;
    writer.fused = Fusion{edge->from_output, n};
    chain.push_back(n);
    chains[n] = std::exchange(chain, {});
  }
}

// A node that does little with an item, less than the way to a device costs, was put there only to
// be fused with one that does much; and some found that they cannot be there.
void Planner::call_back_alone(Plan& plan) {
  const auto call_back = [](PlanNode& node) {
    if (!node.common.device_is_chosen) return;
    node.ports.execution = has_lanes(node) ? std::nullopt : node.ports.execution;
    node.common.device = "auto";
    node.common.device_is_chosen = false;
    node.fused.reset();
  };
  for (std::size_t n = 0; n < plan.nodes.size(); ++n) {
    const std::vector<std::size_t> chain = plan.chain_from(n);
    const bool is_worth_it = std::ranges::any_of(chain, [&](std::size_t i) {
      const PlanNode& node = plan.nodes[i];
      return has_lanes(node) && (node.spec().takes_batches() || !node.common.device_is_chosen);
    });
    if (is_worth_it) continue;
    for (const std::size_t i : chain) call_back(plan.nodes[i]);
  }
}

// A node that only holds tensors was told where; it must be so.
void Planner::check_held(const Plan& plan) {
  const auto only_holds = [](const PlanNode& node) {
    return node.common.has_lanes() && !has_lanes(node);
  };
  for (const PlanEdge& edge : plan.edges) {
    const PlanNode &writer = plan.nodes[edge.from_node], &reader = plan.nodes[edge.to_node];
    const bool by_writer = only_holds(writer);
    if (plan.is_on_device(edge) || (!by_writer && !only_holds(reader))) continue;
    const PlanNode& holder = by_writer ? writer : reader;
    const Draft& draft = drafts_[find_node(holder.name)];
    const WordMark* const word = draft.decl->find_word("device");
    Diagnostic& d = problems_.add(
        "SL0606", word ? word->mark : draft.decl->mark,
        "`" + holder.name + "` has tensors in the memory of `" + holder.common.device + "`, and `" +
            (by_writer ? reader.name + "` reads" : writer.name + "` gives") +
            " them in the host's memory",
        origin(draft, "device"));
    if (word && !word->origin.empty()) d.origin = word->origin;
    d.help = "leave `device:` of `" + holder.name + "` out, or put `" +
             (by_writer ? reader : writer).name + "` on that device";
    return;
  }
}

// What only nodes of its own device read, and is not fused with one of them, need not leave it.
void Planner::keep_on_devices(Plan& plan) {
  for (std::size_t n = 0; n < plan.nodes.size(); ++n) {
    PlanNode& writer = plan.nodes[n];
    writer.stays.assign(writer.ports.outputs.size(), false);
    if (!writer.common.has_lanes() || !writer.ports.stacking.gives_unseen) continue;
    for (std::size_t output = 0; output < writer.stays.size(); ++output) {
      const auto needs_host = [&](const PlanEdge& edge) {
        const PlanNode& reader = plan.nodes[edge.to_node];
        return !may_pass_floats(edge) || !reader.ports.stacking.takes_unseen ||
               reader.common.device != writer.common.device;
      };
      bool is_read = false;
      bool stays = true;
      for (const PlanEdge& edge : plan.edges) {
        if (edge.from_node != n || edge.from_output != output || plan.is_fused(edge)) continue;
        is_read = true;
        stays = stays && !needs_host(edge);
      }
      writer.stays[output] = is_read && stays;
    }
  }
}

}  // namespace sluice
