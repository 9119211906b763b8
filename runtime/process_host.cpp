#include "sluice/runtime/process_host.h"

#include "sluice/runtime/engine.h"
#include "sluice/runtime/node_host.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kBurst = 64;            // items a step moves at most
constexpr std::uint64_t kNotifyEachNs = 500;  // items dearer than this are announced one by one

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

std::size_t worker_count(const PlanNode& node, int pool_threads) {
  if (node.spec().concurrency() == Concurrency::kSerial) return 1;
  return static_cast<std::size_t>(node.common.parallel > 0 ? node.common.parallel : pool_threads);
}

// Items per call: the batch of a node that takes batches. A serial node that may wait gets what is
// there, up to a burst, so that its thread is woken once for many.
std::size_t items_per_call(const PlanNode& node, std::size_t workers) {
  if (node.spec().takes_batches())
    return static_cast<std::size_t>(std::max(1, node.common.batch_max));
  return workers == 1 && node.spec().execution() == ExecutionClass::kBlocking ? kBurst : 1;
}

}  // namespace

ProcessHost::ProcessHost(Engine& engine, PlanNode& node, std::size_t place,
                         std::vector<std::vector<Channel*>> inputs,
                         std::vector<std::vector<Channel*>> outputs)
    : Host(engine, node, place, std::move(inputs), std::move(outputs)),
      node_(*std::get<std::unique_ptr<Node>>(node.node)),
      pairing_(engine.plan().scopes, node, node.name),
      pairs_([&] {
        std::size_t edges = 0;
        for (const PlanInput& input : node.inputs) edges += input.edges.size();
        return edges != 1 || node.inputs.size() != 1;
      }()),
      workers_(worker_count(node, engine.scheduler().threads())),
      blocking_(node.spec().execution() == ExecutionClass::kBlocking),
      batch_max_(items_per_call(node, workers_)),
      window_max_(workers_ * 2),
      next_child_(node.ports.outputs.size(), 0) {
  for (const auto& edges : inputs_) edge_count_ += edges.size();
  for (std::size_t i = workers_; i > 0; --i) free_workers_.push_back(i - 1);
}

ProcessHost::~ProcessHost() = default;

Status ProcessHost::open() {
  Context ctx(*this, nullptr, 0);
  Status opened = node_calls::open(node_, ctx, workers_);
  if (opened.is_ok() && blocking_) {
    threads_ = std::make_unique<WorkerThreads>(engine_.scheduler(), workers_, name());
  }
  return opened;
}

Status ProcessHost::close() {
  stop_wait();
  threads_.reset();
  Context ctx(*this, nullptr, 0);
  return node_calls::close(node_, ctx);
}

NodeStats ProcessHost::stats() const {
  NodeStats stats = Host::stats();
  stats.workers = workers_;
  return stats;
}

Host::Step ProcessHost::step() {
  collect();
  const bool drained = outbox_.drain();
  bool more = take_inputs();
  std::size_t moved = 0;
  const std::uint64_t started = now_ns();
  inline_items_ = 0;
  if (drained) {
    for (; moved < kBurst && outbox_.is_empty() && can_take(); ++moved) {
      std::optional<Unit> unit = next_unit();
      if (!unit) break;
      dispatch(std::move(*unit));
    }
  }
  if (inline_items_ > 0) {
    const std::uint64_t ns = now_ns() - started;
    busy_ns_.fetch_add(ns, std::memory_order_relaxed);
    learn_cost(ns, inline_items_);
  }
  if (forming_ && (forming_->item_count >= batch_max_ || inputs_ended() || blocking_ ||
                   release_.load(std::memory_order_acquire))) {
    hand_out();
  }
  collect();
  const bool was_blocked = !outbox_.is_empty();
  if (was_blocked && !outbox_.drain()) blocked_.fetch_add(1, std::memory_order_relaxed);
  wake_readers();
  wake_writers();
  if (inputs_ended() && window_.empty() && !forming_ && outbox_.is_empty() &&
      (!pairs_ || pairing_.is_empty())) {
    finish();
    return Step::kWaiting;
  }
  // Room that came by now calls nobody: what was held back for want of it goes on in the next step.
  if (was_blocked && outbox_.is_empty()) return Step::kAgain;
  more = more || moved == kBurst;
  return more && outbox_.is_empty() && can_take() ? Step::kAgain : Step::kWaiting;
}

// A node that pairs takes what there is: only so can the partner of what waits in a channel come
// through. True when there may be more.
bool ProcessHost::take_inputs() {
  if (!pairs_) return false;
  bool more = false;
  for (std::size_t input = 0; input < inputs_.size(); ++input) {
    for (Channel* channel : inputs_[input]) {
      std::size_t taken = 0;
      for (; taken < kBurst; ++taken) {
        std::optional<Packet> packet = channel->take();
        if (!packet) break;
        if (packet->kind == PacketKind::kEnd) {
          ++ended_edges_;
        } else {
          pairing_.add(input, std::move(*packet));
        }
      }
      more = more || taken == kBurst;
    }
  }
  return more;
}

std::optional<Unit> ProcessHost::next_unit() {
  if (pairs_) return pairing_.next();
  std::optional<Packet> packet = inputs_[0][0]->take();
  if (!packet) return std::nullopt;
  if (packet->kind == PacketKind::kEnd) {
    ++ended_edges_;
    return std::nullopt;
  }
  Unit unit;
  if (packet->is_item()) unit.inputs.push_back(std::move(packet->payload));
  unit.token = std::move(packet->token);
  unit.group = std::move(packet->group);
  unit.seq = packet->seq;
  unit.kind = packet->kind;
  return unit;
}

bool ProcessHost::can_take() const {
  if (window_.size() < window_max_) return true;
  return forming_ && forming_->item_count < batch_max_ && window_.size() <= window_max_;
}

bool ProcessHost::runs_inline() const {
  if (blocking_ || batch_max_ > 1 || !window_.empty()) return false;
  if (workers_ == 1) return true;
  const std::uint64_t cost = cost_ns_.load(std::memory_order_relaxed);
  return cost > 0 && cost < Scheduler::kHeavyNs;
}

void ProcessHost::dispatch(Unit unit) {
  if (unit.kind != PacketKind::kItem) {
    // A marker keeps its place behind the items that came before it.
    Work* const before = forming_ ? forming_.get() : window_.empty() ? nullptr : &*window_.back();
    if (before) {
      before->ends_group |= unit.kind == PacketKind::kGroupEnd;
      (forming_ ? before->units : before->after).push_back(std::move(unit));
    } else {
      pass_marker(unit);
    }
    return;
  }
  if (runs_inline()) {
    process_inline(std::move(unit));
  } else {
    add_to_work(std::move(unit));
  }
}

void ProcessHost::process_inline(Unit unit) {
  const std::uint64_t cost = cost_ns_.load(std::memory_order_relaxed);
  if (cost == 0 || cost >= Scheduler::kHeavyNs) {
    wake_readers();
    engine_.scheduler().before_heavy();
  }
  Item item(*this, unit.inputs, &*unit.token, unit.group ? unit.seq - unit.group->first_seq : 0);
  Context ctx(*this, &item, 0);
  Status status = node_calls::process(node_, ctx);
  ++inline_items_;
  items_.fetch_add(1, std::memory_order_relaxed);
  complete(unit, std::move(status), item.emissions());
  if (cost >= kNotifyEachNs) wake_readers();
}

void ProcessHost::add_to_work(Unit unit) {
  if (!forming_) {
    forming_ = new_work();
    if (batch_max_ > 1 && !blocking_) start_wait();
  }
  forming_->units.push_back(std::move(unit));
  if (++forming_->item_count >= batch_max_) hand_out();
}

void ProcessHost::start_wait() {
  release_.store(false, std::memory_order_relaxed);
  withholds_.store(true, std::memory_order_release);
  wait_timer_ = clock().call_at(clock().now() + common->batch_wait, [this] {
    release_.store(true, std::memory_order_release);
    wake();
  });
}

void ProcessHost::stop_wait() {
  withholds_.store(false, std::memory_order_release);
  if (wait_timer_) clock().cancel(*std::exchange(wait_timer_, std::nullopt));
  release_.store(false, std::memory_order_relaxed);
}

void ProcessHost::on_pool_idle() {
  if (!withholds_.load(std::memory_order_acquire)) return;
  release_.store(true, std::memory_order_release);
  wake();
}

// Moves the forming work to the window and starts it if a worker is free; else `collect` will.
void ProcessHost::hand_out() {
  stop_wait();
  window_.push_back(std::move(forming_));
  collect();
}

// Sends on what has come back, in order unless the node said that order does not matter, and starts
// what has not been started yet. The end of a group overtakes nothing: once it is through, readers
// let go of what they lend to the group's children.
void ProcessHost::collect() {
  for (auto& work : window_) {
    if (work->handed_out && work->done.load(std::memory_order_acquire) &&
        work->worker != SIZE_MAX) {
      free_workers_.push_back(std::exchange(work->worker, SIZE_MAX));
    }
  }
  const bool any_order = common->order == Order::kAny;
  bool overtakes = false;
  for (auto it = window_.begin(); it != window_.end() && outbox_.is_empty();) {
    if ((*it)->handed_out && (*it)->done.load(std::memory_order_acquire) &&
        (*it)->worker == SIZE_MAX && !(overtakes && (*it)->ends_group)) {
      send_results(**it);
      retire(std::move(*it));
      it = window_.erase(it);
    } else if (any_order) {
      overtakes = true;
      ++it;
    } else {
      break;
    }
  }
  for (auto& work : window_) {
    if (work->handed_out) continue;
    if (free_workers_.empty()) break;
    work->worker = free_workers_.back();
    free_workers_.pop_back();
    work->handed_out = true;
    if (threads_) {
      threads_->submit(*work);
    } else {
      engine_.scheduler().submit(pool_place_, *work);
    }
  }
}

void ProcessHost::Work::run() {
  ProcessHost& host = host_;
  std::vector<Item> items;
  items.reserve(item_count);
  for (Unit& unit : units) {
    if (unit.kind != PacketKind::kItem) continue;
    items.emplace_back(host, unit.inputs, &*unit.token,
                       unit.group ? unit.seq - unit.group->first_seq : 0);
  }
  if (!host.blocking_) host.engine_.scheduler().before_heavy();
  const std::uint64_t started = now_ns();
  if (host.plan_node_.spec().takes_batches()) {
    Context ctx(host, items.empty() ? nullptr : &items.front(), worker);
    statuses = node_calls::process_batch(host.node_, ctx, items);
  } else {
    statuses.clear();
    for (Item& item : items) {
      Context ctx(host, &item, worker);
      statuses.push_back(host.engine_.was_aborted()
                             ? Status(Code::kCancelled, "run.aborted", "the run was ended")
                             : node_calls::process(host.node_, ctx));
    }
  }
  const std::uint64_t ns = now_ns() - started;
  emissions.clear();
  for (Item& item : items) emissions.push_back(std::move(item.emissions()));
  host.busy_ns_.fetch_add(ns, std::memory_order_relaxed);
  host.learn_cost(ns, items.size());
  done.store(true, std::memory_order_release);
  host.wake();
}

void ProcessHost::send_results(Work& work) {
  std::size_t item = 0;
  for (Unit& unit : work.units) {
    if (unit.kind != PacketKind::kItem) {
      pass_marker(unit);
      continue;
    }
    items_.fetch_add(1, std::memory_order_relaxed);
    complete(unit, std::move(work.statuses[item]), work.emissions[item]);
    ++item;
  }
  for (Unit& unit : work.after) pass_marker(unit);
}

std::unique_ptr<ProcessHost::Work> ProcessHost::new_work() {
  if (spare_.empty()) return std::make_unique<Work>(*this);
  std::unique_ptr<Work> work = std::move(spare_.back());
  spare_.pop_back();
  return work;
}

void ProcessHost::retire(std::unique_ptr<Work> work) {
  work->units.clear();
  work->after.clear();
  work->item_count = 0;
  work->ends_group = false;
  work->emissions.clear();
  work->done.store(false, std::memory_order_relaxed);
  work->handed_out = false;
  spare_.push_back(std::move(work));
}

void ProcessHost::complete(Unit& unit, Status status, std::vector<Emission>& emissions) {
  const std::vector<PortDecl>& outputs = ports->outputs;
  if (status.is_ok() && emissions.size() > 1) {
    std::vector<std::size_t> given(outputs.size(), 0);
    for (const Emission& emission : emissions) {
      if (++given[emission.output] > 1 && !outputs[emission.output].many) {
        status =
            internal("node.emitted_twice", "the node gave two values for one item on output `" +
                                               outputs[emission.output].name + "`");
      }
    }
  }
  if (status.code() == Code::kCancelled && engine_.was_aborted()) {
    unit.token = TokenRef();  // nobody's fault and nobody's success: unfinished
    return;
  }
  if (!status.is_ok()) {
    reject(unit.token, std::move(status));
    unit.kind = PacketKind::kRejected;
    pass_marker(unit);
    return;
  }
  for (std::size_t output = 0; output < outputs.size(); ++output) {
    if (!wanted[output]) continue;
    if (outputs[output].many) {
      std::vector<PayloadRef> children;
      for (Emission& emission : emissions) {
        if (emission.output == output) children.push_back(std::move(emission.payload));
      }
      send_children(unit, output, std::move(children), PacketKind::kItem);
      continue;
    }
    const auto emission = std::find_if(emissions.begin(), emissions.end(),
                                       [&](const Emission& e) { return e.output == output; });
    Packet packet = Packet::marker(PacketKind::kFiltered, unit.seq, unit.group);
    if (emission != emissions.end()) {
      packet.kind = PacketKind::kItem;
      packet.payload = std::move(emission->payload);
      packet.token = unit.token.share();
    }
    outbox_.send(output, std::move(packet));
  }
  unit.token.deliver();
}

void ProcessHost::pass_marker(Unit& unit) {
  const std::vector<PortDecl>& outputs = ports->outputs;
  for (std::size_t output = 0; output < outputs.size(); ++output) {
    if (!wanted[output]) continue;
    if (outputs[output].many) {
      send_children(unit, output, {}, unit.kind);
      continue;
    }
    Packet packet = Packet::marker(unit.kind, unit.seq, unit.group);
    if (unit.kind == PacketKind::kGroupEnd && unit.token) packet.token = unit.token.share();
    outbox_.send(output, std::move(packet));
  }
  unit.token.deliver();
}

// Opens a scope under the unit: its children in order, then the end of their group. For a marker
// there are no children, and the end of the empty group says what it stands for.
void ProcessHost::send_children(Unit& unit, std::size_t output, std::vector<PayloadRef> children,
                                PacketKind parent_kind) {
  Group described;
  described.parent_seq = unit.seq;
  described.parent_kind = parent_kind;
  described.first_seq = next_child_[output];
  described.count = children.size();
  described.parent_group = unit.group;
  const GroupRef group = GroupRef::make(std::move(described));
  std::uint64_t& seq = next_child_[output];
  for (PayloadRef& child : children) {
    Packet packet;
    packet.payload = std::move(child);
    packet.token = unit.token.share();
    packet.group = group;
    packet.seq = seq++;
    outbox_.send(output, std::move(packet));
  }
  Packet end = Packet::marker(PacketKind::kGroupEnd, seq++, group);
  if (unit.token) end.token = unit.token.share();
  outbox_.send(output, std::move(end));
}

void ProcessHost::discard() {
  stop_wait();
  threads_.reset();
  Host::discard();
  pairing_.clear();
  forming_.reset();
  window_.clear();
}

}  // namespace sluice
