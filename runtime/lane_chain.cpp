#include "sluice/runtime/lane_chain.h"

#include "sluice/runtime/lanes/alignment.h"
#include "sluice/runtime/lanes/chain_program.h"
#include "sluice/runtime/node_host.h"

#include <algorithm>
#include <bit>
#include <cstring>
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

// Shapes may depend on the values of other types than these, which are looked at by the host.
Status check_place(std::span<const Tensor> inputs) {
  for (const Tensor& input : inputs) {
    if (input.buffer().is_on_host() || input.dtype() == DType::kF32) continue;
    return unsupported("lane.input", "a tensor of " + std::string(to_string(input.dtype())) +
                                         " is to be in the host's memory, not a device's");
  }
  return Status::ok();
}

bool are_alike(std::span<const Tensor> a, std::span<const Tensor> b) {
  return std::ranges::equal(a, b, [](const Tensor& x, const Tensor& y) {
    return x.dtype() == y.dtype() && x.shape() == y.shape();
  });
}

// What the program gives for all inputs together, one after the other.
Result<DeviceProgram::Plan> plan_of_each(DeviceProgram& program, std::span<const Tensor> inputs) {
  DeviceProgram::Plan all;
  for (const Tensor& input : inputs) {
    Result<DeviceProgram::Plan> plan = program.plan({&input, 1});
    if (!plan) return plan;
    if (all.outputs.empty()) {
      all.outputs = std::move(plan->outputs);
      continue;
    }
    for (std::size_t k = 0; k < all.outputs.size(); ++k) {
      all.outputs[k].shape[0] += plan->outputs[k].shape[0];
    }
  }
  return all;
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

struct LaneChain::Member {
  PlanNode* plan = nullptr;
  Node* node = nullptr;
  // Of one of several nodes: `on_device` keeps what only the next node reads.
  std::unique_ptr<Services> own_on_device, own_on_cpu;
  NodeServices *on_device = nullptr, *on_cpu = nullptr;
  std::size_t first_output = 0;            // of the host's
  std::size_t passed_on_port = 0;          // what the next node reads
  std::size_t passed_on = 0;               // as the program gives it
  bool is_read_elsewhere = false;          // what is passed on
  std::vector<bool> stays;                 // by output of the program
  std::shared_ptr<DeviceProgram> program;  // of one lane, to ask for plans
  std::atomic<std::uint64_t> items{0}, rejected{0};
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
    const Status opened = node_calls::open(*members_[i]->node, ctx, workers);
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

std::span<LaneRun> LaneCall::begin(LaneChain& chain, std::size_t worker, std::span<Item> items) {
  take_inputs(chain, worker, items);
  while (!order_.empty()) {
    take_group(chain);
    LaneRun run;
    run.items = group_;
    // A device gets few different batches, since it chooses and records its work for each.
    const auto all = static_cast<std::int64_t>(std::bit_ceil(group_.size()));
    const std::int64_t most = chain.stacking_.most;
    const Status status = put_together(run, chain.stacking_.is_fixed ? most : std::min(all, most),
                                       items[group_.front()]);
    if (!status.is_ok()) {
      for (const std::size_t i : group_) chain.reject(*chain.members_.front(), items[i], status);
    } else if (check(chain, worker, items, run)) {
      if (chain.keeps_) run.work.stays = stays(chain, run);
      runs_.push_back(std::move(run));
    }
  }
  inputs_.clear();
  passed_on_.clear();
  return runs_;
}

void LaneCall::clear() {
  runs_.clear();
  inputs_.clear();
}

// What each item is made of. Items that are alike come one after the other, small ones first.
void LaneCall::take_inputs(LaneChain& chain, std::size_t worker, std::span<Item> items) {
  LaneChain::Member& first = *chain.members_.front();
  first.items.fetch_add(items.size(), std::memory_order_relaxed);
  inputs_.resize(items.size());
  order_.clear();
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item own = items[i].in_front_of(*first.on_device, items[i].payloads(), emissions_);
    Context ctx(*first.on_device, &own, worker);
    Result<std::vector<Tensor>> inputs = node_calls::device_inputs(*first.node, ctx);
    emissions_.clear();
    const Status there = inputs ? check_place(*inputs) : inputs.status();
    if (!there.is_ok()) {
      chain.reject(first, items[i], there);
    } else if (!inputs->empty()) {
      inputs_[i] = std::move(*inputs);
      order_.push_back(i);
    }
  }
  std::ranges::sort(order_, {},
                    [&](std::size_t i) { return std::pair(inputs_[i].front().elements(), i); });
}

// Moves the first item in order, and those that go with it, from the order to the group: as many as
// one run takes. Those that are alike stand one after the other.
void LaneCall::take_group(const LaneChain& chain) {
  const std::size_t first = order_.front();
  const Shape* const passed_on = chain.gathers_ ? shape_passed_on(chain, first) : nullptr;
  const auto joins = [&](std::size_t i) {
    if (are_alike(inputs_[i], inputs_[first])) return true;
    const Shape* const other = passed_on != nullptr ? shape_passed_on(chain, i) : nullptr;
    return other != nullptr && *other == *passed_on;
  };
  group_.clear();
  std::erase_if(order_, [&](std::size_t i) {
    const bool is_taken = std::cmp_less(group_.size(), chain.stacking_.most) && joins(i);
    if (is_taken) group_.push_back(i);
    return is_taken;
  });
  std::ranges::stable_sort(group_, [&](std::size_t a, std::size_t b) {
    return std::ranges::lexicographical_compare(inputs_[a].front().shape(),
                                                inputs_[b].front().shape());
  });
}

// Null where the first node cannot take such an item, or where what it makes of it would not lie as
// programs want it behind that of others. REQUIRES: a chain that gathers.
const Shape* LaneCall::shape_passed_on(const LaneChain& chain, std::size_t item) {
  const Tensor& input = inputs_[item].front();
  const auto known =
      std::ranges::find(passed_on_, input.shape(), &std::pair<Shape, std::optional<Shape>>::first);
  if (known != passed_on_.end()) return known->second ? &*known->second : nullptr;
  std::optional<Shape> shape;
  const LaneChain::Member& first = *chain.members_.front();
  const Tensor alone = input.reshaped(with_batch(input.shape(), 1));
  const Result<DeviceProgram::Plan> plan = first.program->plan({&alone, 1});
  const auto lies_well = [](const TensorSpec& output) {
    return output.shape.rank() > 0 && output.size_bytes() % kOperandAlignment == 0;
  };
  if (plan && std::ranges::all_of(plan->outputs, lies_well)) {
    shape = plan->outputs[first.passed_on].shape;
  }
  passed_on_.reserve(inputs_.size());  // so that those given before stay where they are
  const auto& added = passed_on_.emplace_back(input.shape(), shape);
  return added.second ? &*added.second : nullptr;
}

// Each part of the group is an input, or several, of its own; there is one where all are alike.
// What is missing to a batch is of the last one's shape.
Status LaneCall::put_together(LaneRun& run, std::int64_t batch, Item& payer) {
  for (std::size_t begin = 0; begin < group_.size();) {
    std::size_t end = begin + 1;
    while (end < group_.size() && are_alike(inputs_[group_[begin]], inputs_[group_[end]])) ++end;
    const std::int64_t missing = end == group_.size() ? batch - static_cast<std::int64_t>(end) : 0;
    const Status status = put_together(run, std::span(group_).subspan(begin, end - begin),
                                       static_cast<std::int64_t>(end - begin) + missing, payer);
    if (!status.is_ok()) return status;
    run.parts.back().end_row = end;
    begin = end;
  }
  return Status::ok();
}

// Floats and bytes go as rows, which the lane copies to where the device takes them; what shapes
// may depend on is put together here.
Status LaneCall::put_together(LaneRun& run, std::span<const std::size_t> alike, std::int64_t rows,
                              Item& payer) {
  LaneRun::Part& part = run.parts.emplace_back();
  for (std::size_t input = 0; input < inputs_[alike.front()].size(); ++input) {
    const Tensor& like = inputs_[alike.front()][input];
    const Shape shape = with_batch(like.shape(), rows);
    Rows& own_rows = run.work.rows.emplace_back();
    part.inputs.push_back(like.shape());
    if (rows == 1) {
      run.work.inputs.push_back(like.reshaped(shape));
    } else if (like.dtype() == DType::kF32 || like.dtype() == DType::kU8) {
      const auto offset = static_cast<std::size_t>(like.raw() - like.buffer().data());
      run.work.inputs.emplace_back(like.dtype(), shape, with_batch(like.strides(), 0),
                                   like.buffer(), offset);
      for (const std::size_t i : alike) own_rows.push_back(inputs_[i][input]);
    } else {
      Result<Tensor> whole = payer.allocate_tensor(like.dtype(), shape);
      if (!whole) return whole.status();
      std::memset(whole->raw(), 0, whole->size_bytes());
      for (std::size_t row = 0; row < alike.size(); ++row) {
        std::memcpy(whole->raw() + row * like.size_bytes(), inputs_[alike[row]][input].raw(),
                    like.size_bytes());
      }
      run.work.inputs.push_back(std::move(*whole));
    }
  }
  return Status::ok();
}

// Of several nodes: whether each of them takes what the one before will give. Else it rejects the
// items.
bool LaneCall::check(LaneChain& chain, std::size_t worker, std::span<Item> items, LaneRun& run) {
  if (!chain.is_fused()) return true;
  std::vector<Tensor> inputs = run.work.inputs;
  Status status;
  for (const auto& member : chain.members_) {
    const bool is_each = member == chain.members_.front() && chain.gathers_;
    Result<DeviceProgram::Plan> plan =
        is_each ? plan_of_each(*member->program, inputs) : member->program->plan(inputs);
    if (!plan) {
      status = plan.status();
    } else {
      run.output_counts.push_back(plan->outputs.size());
      if (member == chain.members_.back()) return true;
      const TensorSpec& passed_on = plan->outputs[member->passed_on];
      run.passed_on.push_back(without_batch(passed_on.shape));
      inputs = {tensor_to_come(passed_on)};
    }
    std::size_t rejecting = run.passed_on.size();
    if (status.is_ok()) {
      const LaneChain::Member& next = *chain.members_[rejecting];
      Item own = items[run.items.front()].in_front_of(*next.on_device, {}, emissions_);
      Context ctx(*next.on_device, &own, worker);
      status = node_calls::check_device_input(*next.node, ctx, run.passed_on.back());
      emissions_.clear();
    }
    if (status.is_ok()) continue;
    for (const std::size_t i : run.items) chain.reject_at(rejecting, items[i], status);
    return false;
  }
  return true;
}

// Which outputs of the run stay on the device.
std::vector<bool> LaneCall::stays(const LaneChain& chain, const LaneRun& run) {
  std::vector<bool> all;
  for (std::size_t m = 0; m + 1 < chain.members_.size(); ++m) {
    const LaneChain::Member& member = *chain.members_[m];
    for (std::size_t k = 0; k < run.output_counts[m]; ++k) {
      if (k == member.passed_on && !member.is_read_elsewhere) continue;
      all.push_back(k < member.stays.size() && member.stays[k]);
    }
  }
  const std::vector<bool>& of_last = chain.members_.back()->stays;
  all.insert(all.end(), of_last.begin(), of_last.end());
  return all;
}

void LaneCall::end(LaneChain& chain, std::size_t worker, std::span<Item> items) {
  for (const LaneRun& run : runs_) {
    for (const Tensor& output : run.outputs) {
      if (!output.buffer().is_on_host()) continue;
      items[run.items.front()].count_allocated(output.size_bytes());
    }
    for (std::size_t row = 0; row < run.items.size(); ++row) {
      Item& item = items[run.items[row]];
      if (run.status.is_ok()) {
        give(chain, worker, item, run, static_cast<std::int64_t>(row));
      } else {
        chain.reject_at(chain.main_, item, run.status);
      }
    }
  }
}

// Lets each node emit what its program has made of the item, until one rejects it.
void LaneCall::give(LaneChain& chain, std::size_t worker, Item& item, const LaneRun& run,
                    std::int64_t row) {
  const auto part = std::ranges::find_if(run.parts, [&](const LaneRun::Part& candidate) {
    return std::cmp_less(row, candidate.end_row);
  });
  std::size_t given = 0;
  for (std::size_t m = 0; m < chain.members_.size(); ++m) {
    LaneChain::Member& member = *chain.members_[m];
    const bool is_last = m + 1 == chain.members_.size();
    const std::size_t outputs = chain.is_fused() ? run.output_counts[m] : run.outputs.size();
    rows_.clear();
    for (std::size_t k = 0; k < outputs; ++k) {
      const bool stays = !is_last && k == member.passed_on && !member.is_read_elsewhere;
      rows_.push_back(stays ? Tensor() : item_of(run.outputs[given++], row));
    }
    Item own = item.in_front_of(*member.on_device, item.payloads(), emissions_);
    Context ctx(*member.on_device, &own, worker);
    if (m > 0) member.items.fetch_add(1, std::memory_order_relaxed);
    Status status = node_calls::device_outputs(
        *member.node, ctx, m == 0 ? std::span(part->inputs) : std::span(&run.passed_on[m - 1], 1),
        rows_);
    if (!status.is_ok()) {
      emissions_.clear();
      chain.reject(member, item, std::move(status));
      break;
    }
    chain.move_emissions(member, emissions_, item);
  }
  rows_.clear();
}

}  // namespace sluice
