#include "sluice/runtime/lane_chain.h"

#include "sluice/runtime/lanes/chain_program.h"
#include "sluice/runtime/node_host.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace sluice {
namespace {

constexpr std::int64_t kAnyNumber = std::numeric_limits<std::int64_t>::max();

// The place of output `port` among those that are tensors, as which its program gives it.
std::size_t program_output(const Ports& ports, std::size_t port) {
  return static_cast<std::size_t>(std::count_if(
      ports.outputs.begin(), ports.outputs.begin() + static_cast<std::ptrdiff_t>(port),
      [](const PortDecl& decl) { return decl.type.payload == &payload_type<Tensor>(); }));
}

// The node whose options are those of all: the one that decides how items are put together.
std::size_t main_of(std::span<PlanNode* const> nodes) {
  const auto found = std::ranges::find_if(
      nodes, [](const PlanNode* node) { return node->spec().takes_batches(); });
  return found == nodes.end() ? 0 : static_cast<std::size_t>(found - nodes.begin());
}

bool is_on_device(const PayloadRef& payload) {
  return payload && &payload.type() == &payload_type<Tensor>() &&
         !payload.get<Tensor>().buffer().is_on_host();
}

Stacking stacking_of(std::span<PlanNode* const> nodes) {
  Stacking all{kAnyNumber, false};
  for (const PlanNode* node : nodes) {
    const Stacking& own = node->ports.stacking;
    all.most = std::min(all.most, own.most);
    all.is_fixed = all.is_fixed || own.is_fixed;
  }
  return all;
}

}  // namespace

// What one of several nodes sees of the engine: what its host sees, and its own options.
class LaneChain::Services final : public NodeServices {
 public:
  Services(NodeServices& host, const PlanNode& node) : host_(host) {
    options = &node.options;
    common = &node.common;
    ports = &node.ports;
    wanted.assign(node.wanted.begin(), node.wanted.end());
    node_name = node.name;
  }
  const std::shared_ptr<MemoryBudget>& budget() override { return host_.budget(); }
  Clock& clock() override { return host_.clock(); }
  std::stop_token stop() override { return host_.stop(); }
  void fail_run(Status status) override { host_.fail_run(status.with_context(node_name)); }

 private:
  NodeServices& host_;
};

LaneChain::LaneChain(NodeServices& host, std::span<PlanNode* const> nodes)
    : host_(host), main_(main_of(nodes)), stacking_(stacking_of(nodes)) {
  std::size_t first_output = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    auto member = std::make_unique<Member>();
    member->plan = nodes[i];
    member->node = std::get<std::unique_ptr<Node>>(nodes[i]->node).get();
    member->first_output = first_output;
    first_output += nodes[i]->ports.outputs.size();
    member->on_device = member->on_cpu = &host_;
    if (nodes.size() > 1) {
      member->own_on_device = std::make_unique<Services>(host, *nodes[i]);
      member->own_on_cpu = std::make_unique<Services>(host, *nodes[i]);
      member->on_device = member->own_on_device.get();
      member->on_cpu = member->own_on_cpu.get();
      for (std::size_t output = 0; output < nodes[i]->ports.outputs.size(); ++output) {
        member->on_device->wanted[output] = host.wanted[member->first_output + output];
      }
    }
    for (std::size_t output = 0; output < nodes[i]->stays.size(); ++output) {
      if (!nodes[i]->stays[output]) continue;
      const std::size_t given = program_output(nodes[i]->ports, output);
      member->stays.resize(std::max(member->stays.size(), given + 1));
      member->stays[given] = true;
      keeps_ = true;
    }
    members_.push_back(std::move(member));
  }
  gathers_ = is_fused() && nodes.front()->ports.stacking.most == kAnyNumber &&
             nodes.front()->ports.inputs.size() == 1;
  for (std::size_t i = 0; i + 1 < nodes.size(); ++i) {
    Member& member = *members_[i];
    member.passed_on_port = nodes[i]->fused->output;
    member.passed_on = program_output(nodes[i]->ports, member.passed_on_port);
    member.is_read_elsewhere = member.on_device->wanted[member.passed_on_port] != 0;
  }
}

LaneChain::Member::Member() = default;
LaneChain::Member::~Member() = default;
LaneChain::~LaneChain() = default;

PlanNode LaneChain::fused(const Plan& plan, std::span<PlanNode* const> nodes) {
  const PlanNode& main = *nodes[main_of(nodes)];
  PlanNode all;
  all.type = main.type;
  all.options = main.options;
  all.common = main.common;
  all.ports.inputs = nodes.front()->ports.inputs;
  all.ports.execution = ExecutionClass::kLanes;
  all.ports.model = main.ports.model;
  all.inputs = nodes.front()->inputs;
  all.scope = nodes.front()->scope;
  for (const PlanNode* node : nodes) {
    all.name += (all.name.empty() ? "" : " + ") + node->name;
    all.common.device_is_chosen = all.common.device_is_chosen && node->common.device_is_chosen;
    all.common.streams = std::max(all.common.streams, node->common.streams);
    all.common.parallel = std::max(all.common.parallel, node->common.parallel);
    for (std::size_t output = 0; output < node->ports.outputs.size(); ++output) {
      all.ports.outputs.push_back(node->ports.outputs[output]);
      all.output_scopes.push_back(node->output_scopes[output]);
      all.wanted.push_back(std::ranges::any_of(plan.edges, [&](const PlanEdge& edge) {
        return &plan.nodes[edge.from_node] == node && edge.from_output == output &&
               !plan.is_fused(edge);
      }));
    }
  }
  return all;
}

Status LaneChain::open(std::size_t workers) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Context ctx(*members_[i]->on_device, nullptr, 0);
    Status opened = node_calls::open(*members_[i]->node, ctx, workers);
    if (opened.is_ok()) continue;
    while (i > 0) {
      Member& before = *members_[--i];
      Context closing(*before.on_device, nullptr, 0);
      (void)node_calls::close(*before.node, closing);
    }
    return opened;
  }
  return Status::ok();
}

Status LaneChain::close() {
  Status status;
  for (const auto& member : members_) {
    Context ctx(*member->on_device, nullptr, 0);
    Status closed = node_calls::close(*member->node, ctx);
    if (status.is_ok()) status = std::move(closed);
  }
  return status;
}

Result<std::vector<std::shared_ptr<DeviceProgram>>> LaneChain::programs(Device& device,
                                                                        std::size_t lanes) {
  std::vector<std::vector<ChainProgram::Link>> chains(lanes);
  for (const auto& member : members_) {
    Context ctx(*member->on_device, nullptr, 0);
    auto programs = node_calls::programs(*member->node, ctx, device, lanes);
    if (!programs) return programs.status();
    if (members_.size() == 1) return programs;
    member->program = programs->front();
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      chains[lane].push_back(
          {std::move((*programs)[lane]), member->passed_on, member->is_read_elsewhere});
    }
  }
  std::vector<std::shared_ptr<DeviceProgram>> all;
  all.reserve(lanes);
  const auto first = gathers_ ? ChainProgram::First::kTakesEach : ChainProgram::First::kTakesAll;
  for (auto& links : chains) {
    all.push_back(std::make_shared<ChainProgram>(std::move(links), first));
  }
  return all;
}

// By one of several nodes; of one alone the host knows the name.
void LaneChain::reject(Member& member, Item& item, Status status) const {
  item.emissions().clear();
  item.set_status(std::move(status));
  if (members_.size() > 1) item.set_rejecting_node(&member.plan->name);
  member.rejected.fetch_add(1, std::memory_order_relaxed);
}

// Of an item that has come as far as that without being seen by those in between.
void LaneChain::reject_at(std::size_t member, Item& item, Status status) const {
  for (std::size_t m = 1; m <= member; ++m) {
    members_[m]->items.fetch_add(1, std::memory_order_relaxed);
  }
  reject(*members_[member], item, std::move(status));
}

void LaneChain::move_emissions(const Member& member, std::vector<Emission>& from, Item& to) const {
  for (Emission& emission : from) {
    to.emissions().push_back({member.first_output + emission.output, std::move(emission.payload)});
  }
  from.clear();
}

LaneChain::Counts LaneChain::counts(const PlanNode& node) const {
  for (const auto& member : members_) {
    if (member->plan != &node) continue;
    return {member->items.load(std::memory_order_relaxed),
            member->rejected.load(std::memory_order_relaxed)};
  }
  return {0, 0};
}

const PlanNode& LaneChain::main_node() const { return *members_[main_]->plan; }

void LaneChain::process_on_cpu(Member& member, std::size_t worker, std::span<Item> items) {
  member.items.fetch_add(items.size(), std::memory_order_relaxed);
  if (items.empty()) return;
  Context ctx(*member.on_cpu, &items.front(), worker);
  if (member.plan->spec().takes_batches()) {
    node_calls::process_batch(*member.node, ctx, items);
    return;
  }
  for (Item& item : items) {
    Context alone = ctx.with(item);
    item.set_status(node_calls::process(*member.node, alone));
  }
}

void LaneChain::process_batch(std::size_t worker, std::span<Item> items) {
  std::vector<Item*> left;  // that no node has rejected or kept to itself
  for (Item& item : items) {
    if (std::ranges::any_of(item.inputs(), is_on_device)) {
      reject(*members_.front(), item,
             Status(Code::kUnavailable, "device.lost", "its tensor was on the device"));
    } else {
      left.push_back(&item);
    }
  }
  std::vector<PayloadRef> passed_on(left.size());
  for (std::size_t m = 0; m < members_.size(); ++m) {
    Member& member = *members_[m];
    std::vector<std::vector<Emission>> emissions(left.size());
    std::vector<Item> own;
    own.reserve(left.size());
    for (std::size_t i = 0; i < left.size(); ++i) {
      own.push_back(left[i]->in_front_of(*member.on_cpu,
                                         m == 0 ? left[i]->payloads() : std::span(&passed_on[i], 1),
                                         emissions[i]));
    }
    process_on_cpu(member, worker, own);
    std::vector<Item*> next;
    std::vector<PayloadRef> next_passed_on;
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (!own[i].status().is_ok()) {
        reject(member, *left[i], std::move(own[i].status()));
        continue;
      }
      const bool is_last = m + 1 == members_.size();
      const auto found = std::ranges::find(emissions[i], member.passed_on_port, &Emission::output);
      if (!is_last && found != emissions[i].end()) {
        next.push_back(left[i]);
        next_passed_on.push_back(found->payload);
        if (!member.is_read_elsewhere) emissions[i].erase(found);
      }
      move_emissions(member, emissions[i], *left[i]);
    }
    left = std::move(next);
    passed_on = std::move(next_passed_on);
  }
}

}  // namespace sluice
