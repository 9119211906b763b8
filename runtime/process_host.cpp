#include "sluice/runtime/process_host.h"

#include "sluice/runtime/engine.h"
#include "sluice/runtime/node_host.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kBurst = 64;  // items a step moves at most

std::size_t worker_count(const PlanNode& node, int pool_threads) {
  if (node.spec().concurrency() == Concurrency::kSerial) return 1;
  // One more for each lane is prepared while the slots are busy.
  if (node.execution() == ExecutionClass::kLanes && node.common.parallel == 0) {
    return static_cast<std::size_t>(node.common.lanes()) * (LaneOptions::kSlots + 1);
  }
  return static_cast<std::size_t>(node.common.parallel > 0 ? node.common.parallel : pool_threads);
}

// Items per call: the batch of a node that takes batches. A serial node that may wait gets what is
// there, up to a burst, so that its thread is woken once for many.
std::size_t items_per_call(const PlanNode& node, std::size_t workers) {
  if (node.spec().takes_batches())
    return static_cast<std::size_t>(std::max(1, node.common.batch_max));
  return workers == 1 && node.execution() == ExecutionClass::kBlocking ? kBurst : 1;
}

}  // namespace

ProcessHost::ProcessHost(Engine& engine, PlanNode& node, std::span<PlanNode* const> members,
                         std::size_t place, std::vector<std::vector<Channel*>> inputs,
                         std::vector<std::vector<Channel*>> outputs)
    : Host(engine, node, place, std::move(inputs), std::move(outputs)),
      node_(*std::get<std::unique_ptr<Node>>(members.front()->node)),
      pairing_(engine.plan().scopes, node, node.name),
      pairs_([&] {
        std::size_t edges = 0;
        for (const PlanInput& input : node.inputs) edges += input.edges.size();
        return edges != 1 || node.inputs.size() != 1;
      }()),
      workers_(worker_count(node, engine.scheduler().threads())),
      execution_(node.execution()),
      runs_elsewhere_(execution_ != ExecutionClass::kCpu),
      batch_max_(items_per_call(node, workers_)),
      takes_batches_(node.spec().takes_batches()),
      waits_for_company_(takes_batches_ && batch_max_ > 1),
      window_max_(workers_ * 2),
      next_child_(node.ports.outputs.size(), 0) {
  for (const auto& edges : inputs_) edge_count_ += edges.size();
  for (std::size_t i = workers_; i > 0; --i) free_workers_.push_back(i - 1);
  for (std::size_t output = 0; output < wanted.size(); ++output) {
    if (wanted[output] != 0) read_outputs_.push_back(output);
  }
  changes_in_place_ = read_outputs_.empty() ||
                      (read_outputs_.size() == 1 && !node.ports.outputs[read_outputs_[0]].many);
  if (execution_ == ExecutionClass::kLanes) chain_ = std::make_unique<LaneChain>(*this, members);
}

ProcessHost::~ProcessHost() = default;

Status ProcessHost::open() {
  Context ctx(*this, nullptr, 0);
  Status opened = chain_ ? chain_->open(workers_) : node_calls::open(node_, ctx, workers_);
  if (opened.is_ok() && execution_ == ExecutionClass::kBlocking) {
    threads_ = std::make_unique<WorkerThreads>(engine_.scheduler(), workers_, name());
  }
  if (opened.is_ok() && chain_) opened = open_lanes();
  return opened;
}

Status ProcessHost::close() {
  cancel_timer();
  threads_.reset();
  if (chain_) return chain_->close();
  Context ctx(*this, nullptr, 0);
  return node_calls::close(node_, ctx);
}

NodeStats ProcessHost::stats() const {
  NodeStats stats = Host::stats();
  stats.workers = workers_;
  return stats;
}

// The time of fused nodes is that of the one that decides how items are put together.
NodeStats ProcessHost::stats_of(const PlanNode& node) const {
  NodeStats all = stats();
  if (!chain_ || !chain_->is_fused()) return all;
  const LaneChain::Counts counts = chain_->counts(node);
  all.name = node.name;
  all.type = node.spec().type();
  all.items = counts.items;
  all.rejected = counts.rejected;
  all.model = node.ports.model;
  if (&node == &chain_->main_node()) return all;
  all.busy_ns = all.blocked = 0;
  if (all.measures) all.measures = std::make_shared<const NodeMeasures>();
  return all;
}

Host::Step ProcessHost::step() {
  if (!window_.empty()) collect();
  const bool drained = outbox_.drain();
  if (drained) count_room();
  bool more = take_inputs();
  std::size_t moved = 0;
  if (drained) {
    if (runs_inline()) begin_direct_readers();
    moved = take_burst();
    outbox_.end_direct();
  }
  if (timer_rang_.exchange(false, std::memory_order_acq_rel)) end_wait();
  if (forming_ && !withholds_.load(std::memory_order_relaxed)) start_wait();
  if (forming_ && (forming_->item_count >= batch_max_ || inputs_ended() || !waits_for_company_ ||
                   release_.load(std::memory_order_acquire))) {
    hand_out();
  }
  if (!window_.empty()) collect();
  const bool was_blocked = !outbox_.is_empty();
  if (!outbox_.drain()) count_blocked();
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

std::size_t ProcessHost::begin_direct(std::uint64_t budget_ns) {
  if (pairs_ || runs_elsewhere_ || takes_batches_) return 0;
  const std::uint64_t cost = cost_ns_.load(std::memory_order_relaxed);
  if (cost == 0 || cost > budget_ns || !try_own()) return 0;
  const Channel& channel = *inputs_[0][0];
  if (is_done() || engine_.was_aborted() || !outbox_.is_empty() || channel.has_packet() ||
      !runs_inline()) {
    disown();
    return 0;
  }
  const std::size_t most = std::min<std::size_t>(burst_of(cost), channel.capacity_items());
  outbox_.begin_direct(budget_ns - cost, most);
  return std::min(most, outbox_.burst());
}

std::size_t ProcessHost::accept(std::span<Packet> packets) {
  // Readers that take directly have room for whatever this node has; others may be full any time.
  if (changes_in_place_ && !measures_ && outbox_.is_direct()) {
    process_burst(packets);
    return packets.size();
  }
  std::size_t done = 0;
  do {
    const StepTime time(*this);
    inline_items_ = 0;
    for (; done < packets.size() && outbox_.has_room(); ++done) {
      Packet& packet = packets[done];
      if (packet.is_item()) {
        process_inline(packet, {&packet.payload, 1});
      } else {
        pass_on(packet);
      }
    }
    time.account(inline_items_);
  } while (outbox_.flush());
  return done;
}

void ProcessHost::process_burst(std::span<Packet> packets) {
  change_in_place(packets);
  if (read_outputs_.empty()) {
    for (Packet& packet : packets) packet.token.deliver();
    return;
  }
  outbox_.send_burst(read_outputs_.front(), packets);
  outbox_.flush();
}

void ProcessHost::change_in_place(std::span<Packet> packets) {
  const StepTime time(*this);
  Item item(*this, emissions_);
  Context ctx(*this, &item, 0);
  std::uint64_t items = 0;
  while (!packets.empty()) {
    std::size_t done = node_calls::process_plain(node_, ctx, packets, read_outputs_.size());
    items += done;
    if (done < packets.size()) {
      Packet& packet = packets[done++];
      if (packet.is_item()) {
        ++items;
        complete(packet, std::exchange(item.status(), Status::ok()), emissions_);
        emissions_.clear();
      }
    }
    packets = packets.subspan(done);
  }
  time.account(items);
}

void ProcessHost::end_direct() {
  outbox_.end_direct();
  const bool was_blocked = !outbox_.is_empty();
  if (!outbox_.drain()) count_blocked();
  wake_readers();
  disown();
  // Room that came by now calls nobody: what went over the channel meanwhile is taken in a step.
  if (was_blocked && outbox_.is_empty()) wake();
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
        Packet* packet = channel->take();
        if (packet == nullptr) break;
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

// Takes items and markers until there is none, a reader is full, or others have their turn.
std::size_t ProcessHost::take_burst() {
  std::size_t moved = 0;
  do {
    const StepTime time(*this);
    inline_items_ = 0;
    while (moved < kBurst && outbox_.has_room() && can_take() &&
           (pairs_ ? take_pair() : take_packet())) {
      ++moved;
    }
    time.account(inline_items_);
  } while (outbox_.flush());
  return moved;
}

bool ProcessHost::take_packet() {
  Packet* packet = inputs_[0][0]->take();
  if (packet == nullptr) return false;
  if (packet->is_item()) {
    take_item(*packet, {&packet->payload, 1});
  } else if (packet->kind == PacketKind::kEnd) {
    ++ended_edges_;
    return false;
  } else {
    take_marker(*packet);
  }
  return true;
}

bool ProcessHost::take_pair() {
  if (!pairing_.next(pair_)) return false;
  if (pair_.packet.is_item()) {
    take_item(pair_.packet, pair_.inputs);
  } else {
    take_marker(pair_.packet);
  }
  return true;
}

void ProcessHost::take_item(Packet& packet, std::span<PayloadRef> inputs) {
  if (runs_inline()) {
    process_inline(packet, inputs);
    return;
  }
  Unit& unit = add_to_work();
  if (pairs_)
    unit.inputs.assign(std::move_iterator(inputs.begin()), std::move_iterator(inputs.end()));
  unit.packet = std::move(packet);
  if (++forming_->item_count >= batch_max_) hand_out();
}

// A marker keeps its place behind the items that came before it.
void ProcessHost::take_marker(Packet& packet) {
  Work* const before = forming_ ? forming_.get() : window_.empty() ? nullptr : &*window_.back();
  if (before == nullptr) {
    pass_on(packet);
    return;
  }
  before->ends_group |= packet.kind == PacketKind::kGroupEnd;
  (forming_ ? before->units : before->after).add().packet = std::move(packet);
}

bool ProcessHost::can_take() const {
  if (window_.size() < window_max_) return true;
  return forming_ && forming_->item_count < batch_max_ && window_.size() <= window_max_;
}

bool ProcessHost::runs_inline() const {
  if (runs_elsewhere_ || batch_max_ > 1 || !window_.empty()) return false;
  if (workers_ == 1) return true;
  const std::uint64_t cost = cost_ns_.load(std::memory_order_relaxed);
  return cost > 0 && cost < Scheduler::kHeavyNs;
}

void ProcessHost::process_inline(Packet& packet, std::span<PayloadRef> inputs) {
  const std::uint64_t cost = cost_ns_.load(std::memory_order_relaxed);
  if (cost == 0 || cost >= Scheduler::kHeavyNs) {
    wake_readers();
    for_others_ns_ += engine_.scheduler().before_heavy();
  }
  Item item(*this, inputs, *packet.token, packet.place(), emissions_);
  Context ctx(*this, &item, 0);
  Status status = call(ctx);
  ++inline_items_;
  for (PayloadRef& input : inputs) input.reset();
  complete(packet, std::move(status), emissions_);
  send(packet, emissions_);
  emissions_.clear();
  if (cost < kNotifyEachNs) return;
  wake_readers();
  engine_.scheduler().share_grown();
  SettleScope::of(engine_)->flush();
}

Status ProcessHost::call(Context& ctx) {
  const CallTime time(measures_.get());
  if (!takes_batches_) return node_calls::process(node_, ctx);
  node_calls::process_batch(node_, ctx, {&ctx.item(), 1});
  return std::exchange(ctx.item().status(), Status::ok());
}

// A place in the call that is being put together.
Unit& ProcessHost::add_to_work() {
  if (!forming_) forming_ = new_work();
  return forming_->units.add();
}

// What is left of a burst waits for company.
void ProcessHost::start_wait() {
  if (!waits_for_company_) return;
  release_.store(false, std::memory_order_relaxed);
  wait_until_ = clock().now() + common->batch_wait;
  withholds_.store(true, std::memory_order_release);
  if (!wait_timer_) set_timer();
}

// One timer at a time: a batch that is full before its time leaves it to the next one, which sets
// it anew when it rings too early.
void ProcessHost::set_timer() {
  wait_timer_ = clock().call_at(wait_until_, [this] {
    timer_rang_.store(true, std::memory_order_release);
    wake();
  });
}

void ProcessHost::end_wait() {
  wait_timer_.reset();
  if (!withholds_.load(std::memory_order_relaxed)) return;
  if (clock().now() >= wait_until_) {
    release_.store(true, std::memory_order_relaxed);
  } else {
    set_timer();
  }
}

void ProcessHost::cancel_timer() {
  if (wait_timer_) clock().cancel(*std::exchange(wait_timer_, std::nullopt));
}

void ProcessHost::on_pool_idle() {
  if (!withholds_.load(std::memory_order_acquire)) return;
  release_.store(true, std::memory_order_release);
  wake();
}

// Moves the forming work to the window and starts it if a worker is free; else `collect` will.
void ProcessHost::hand_out() {
  withholds_.store(false, std::memory_order_release);
  release_.store(false, std::memory_order_relaxed);
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

void ProcessHost::send_results(Work& work) {
  std::size_t index = 0;
  for (Unit& unit : work.units.all()) {
    if (!unit.packet.is_item()) {
      pass_on(unit.packet);
      continue;
    }
    Item& item = work.items[index++];
    complete(unit.packet, std::move(item.status()), item.emissions(), item.rejecting_node());
    send(unit.packet, item.emissions());
  }
  count_items(index);
  for (Unit& unit : work.after.all()) pass_on(unit.packet);
}

std::unique_ptr<ProcessHost::Work> ProcessHost::new_work() {
  if (spare_.empty()) return std::make_unique<Work>(*this);
  std::unique_ptr<Work> work = std::move(spare_.back());
  spare_.pop_back();
  return work;
}

void ProcessHost::retire(std::unique_ptr<Work> work) {
  work->clear();
  spare_.push_back(std::move(work));
}

void ProcessHost::complete(Packet& packet, Status status, std::vector<Emission>& emissions,
                           const std::string* rejecting_node) {
  if (status.is_ok() && emissions.size() > 1) status = check_emissions(emissions);
  packet.payload.reset();
  if (!status.is_ok()) {
    refuse(packet.token, std::move(status), rejecting_node);
    packet.kind = PacketKind::kRejected;
  } else if (changes_in_place_ && !emissions.empty()) {
    packet.payload = std::move(emissions.front().payload);
  } else if (changes_in_place_ && !read_outputs_.empty()) {
    packet.token.deliver();
    packet.kind = PacketKind::kFiltered;
  }
}

void ProcessHost::refuse(TokenRef& token, Status status, const std::string* node) {
  if (status.code() == Code::kCancelled && engine_.was_aborted()) {
    token = TokenRef();  // nobody's fault and nobody's success: unfinished
  } else {
    reject(token, std::move(status), node);
  }
}

Status ProcessHost::check_emissions(const std::vector<Emission>& emissions) const {
  for (std::size_t i = 0; i < emissions.size(); ++i) {
    const PortDecl& output = ports->outputs[emissions[i].output];
    if (output.many) continue;
    for (std::size_t j = 0; j < i; ++j) {
      if (emissions[j].output == emissions[i].output) {
        return internal("node.emitted_twice",
                        "the node gave two values for one item on output `" + output.name + "`");
      }
    }
  }
  return Status::ok();
}

void ProcessHost::send(Packet& packet, std::vector<Emission>& emissions) {
  if (packet.is_item() && !changes_in_place_) {
    send_each(packet, emissions);
  } else {
    pass_on(packet);
  }
}

void ProcessHost::send_each(Packet& packet, std::vector<Emission>& emissions) {
  for (const std::size_t output : read_outputs_) {
    if (ports->outputs[output].many) {
      send_children(packet, output, emissions);
      continue;
    }
    const auto emission = std::find_if(emissions.begin(), emissions.end(),
                                       [&](const Emission& e) { return e.output == output; });
    Packet sent = Packet::marker(PacketKind::kFiltered, packet.seq, packet.group);
    if (emission != emissions.end()) {
      sent.kind = PacketKind::kItem;
      sent.payload = std::move(emission->payload);
      sent.token = packet.token.share();
    }
    outbox_.send(output, std::move(sent));
  }
  packet.token.deliver();
}

void ProcessHost::pass_on(Packet& packet) {
  if (changes_in_place_ && !read_outputs_.empty()) {
    outbox_.send(read_outputs_.front(), std::move(packet));
    return;
  }
  for (const std::size_t output : read_outputs_) {
    if (ports->outputs[output].many) {
      send_children(packet, output, {});
      continue;
    }
    Packet marker = Packet::marker(packet.kind, packet.seq, packet.group);
    if (packet.kind == PacketKind::kGroupEnd && packet.token) marker.token = packet.token.share();
    outbox_.send(output, std::move(marker));
  }
  packet.token.deliver();
}

// Opens a scope under the packet: its children in order, then the end of their group. For a marker
// there are no children, and the end of the empty group says what it stands for.
void ProcessHost::send_children(Packet& packet, std::size_t output, std::span<Emission> emissions) {
  const auto is_child = [&](const Emission& e) { return e.output == output; };
  Group described;
  described.parent_seq = packet.seq;
  described.parent_kind = packet.kind;
  described.first_seq = next_child_[output];
  described.count = static_cast<std::uint64_t>(std::ranges::count_if(emissions, is_child));
  described.parent_group = packet.group;
  const GroupRef group = GroupRef::make(std::move(described));
  std::uint64_t& seq = next_child_[output];
  for (Emission& emission : emissions) {
    if (!is_child(emission)) continue;
    Packet child;
    child.payload = std::move(emission.payload);
    child.token = packet.token.share();
    child.group = group;
    child.seq = seq++;
    outbox_.send(output, std::move(child));
  }
  Packet end = Packet::marker(PacketKind::kGroupEnd, seq++, group);
  if (packet.token) end.token = packet.token.share();
  outbox_.send(output, std::move(end));
}

void ProcessHost::discard() {
  cancel_timer();
  threads_.reset();
  lanes_.reset();
  Host::discard();
  pairing_.clear();
  forming_.reset();
  window_.clear();
}

}  // namespace sluice
