#include "sluice/runtime/host.h"

#include "sluice/runtime/engine.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sluice {

Host::Host(Engine& engine, PlanNode& node, std::size_t place,
           std::vector<std::vector<Channel*>> inputs, std::vector<std::vector<Channel*>> outputs)
    : engine_(engine),
      plan_node_(node),
      inputs_(std::move(inputs)),
      outbox_(outputs),
      pool_place_(place),
      measures_(engine.options().measure ? std::make_unique<Measures>() : nullptr) {
  options = &node.options;
  common = &node.common;
  ports = &node.ports;
  wanted.assign(node.wanted.begin(), node.wanted.end());
  node_name = node.name;
}

void Host::wake() {
  if (state_.exchange(kSignalled, std::memory_order_acq_rel) == kIdle) schedule(false);
}

void Host::wake_and_help() {
  if (state_.exchange(kSignalled, std::memory_order_acq_rel) != kIdle) return;
  if (engine_.knows_costs()) {
    engine_.scheduler().run_here(*this);
  } else {
    schedule(false);
  }
}

void Host::schedule(bool after_others) {
  if (after_others) {
    engine_.scheduler().resubmit(pool_place_, *this);
  } else {
    engine_.scheduler().submit(pool_place_, *this);
  }
}

void Host::run() {
  constexpr int kTurns = 16;  // steps before others have their turn
  SettleScope settled(engine_);
  const std::uint64_t started = never_waits_ ? now_ns() : 0;
  for (int turn = 0;; ++turn) {
    if (turn == kTurns || (never_waits_ && turn > 0 && now_ns() - started >= kTurnNs)) {
      schedule(true);
      return;
    }
    state_.exchange(kActive, std::memory_order_acq_rel);
    const bool runs = !is_done() && !engine_.was_aborted();
    const Step next = runs ? step() : Step::kWaiting;
    settled.flush();
    if (next == Step::kAgain) continue;
    int active = kActive;
    if (state_.compare_exchange_strong(active, kIdle, std::memory_order_acq_rel)) return;
  }
}

std::uint64_t Host::expected_ns() const {
  if (inputs_.empty()) return 0;  // there is no telling how much a source has
  std::uint64_t waiting = 0;
  for (const auto& edges : inputs_) {
    for (const Channel* channel : edges) waiting += channel->items();
  }
  // Markers are work, too, though they are no items.
  return cost_ns_.load(std::memory_order_relaxed) * std::max<std::uint64_t>(waiting, 1);
}

void Host::learn_cost(std::uint64_t ns, std::uint64_t items) {
  if (items == 0) return;
  const std::uint64_t now = ns / items + 1;
  const std::uint64_t old = cost_ns_.load(std::memory_order_relaxed);
  cost_ns_.store(old == 0 ? now : (old * 3 + now) / 4, std::memory_order_relaxed);
}

std::uint64_t Host::now_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

bool Host::wants_timing() const {
  constexpr std::uint64_t kMostSteps = 16;
  constexpr std::uint64_t kMostItems = 256;
  const std::uint64_t cost = cost_ns_.load(std::memory_order_relaxed);
  return measures_ != nullptr || cost == 0 || cost >= kNotifyEachNs ||
         untimed_steps_ >= kMostSteps || untimed_items_ >= kMostItems;
}

std::size_t Host::burst_of(std::uint64_t cost_ns) {
  return static_cast<std::size_t>(
      std::clamp<std::uint64_t>(kBurstNs / std::max<std::uint64_t>(cost_ns, 1), 1, kMostBurst));
}

void Host::begin_direct_readers() {
  const std::uint64_t cost = cost_ns_.load(std::memory_order_relaxed);
  if (cost > 0 && cost < kNotifyEachNs) outbox_.begin_direct(kDirectNs, burst_of(cost));
}

void Host::count_blocked() {
  add_plainly(blocked_, 1);
  if (measures_ && measures_->blocked_since == 0) measures_->blocked_since = now_ns();
}

void Host::count_room() {
  if (!measures_ || measures_->blocked_since == 0) return;
  add_plainly(measures_->blocked_ns, now_ns() - std::exchange(measures_->blocked_since, 0));
}

void Host::CallTime::put_down() const {
  measures_->calls.add(now_ns() - started_);
  measures_->allocations.fetch_add(allocations_of_this_thread() - allocations_,
                                   std::memory_order_relaxed);
}

void Host::count_untimed(std::uint64_t items) {
  count_items(items);
  ++untimed_steps_;
  untimed_items_ += items;
}

void Host::StepTime::account(std::uint64_t items) const {
  if (items == 0) return;
  if (!is_timed_) return host_.count_untimed(items);
  host_.count_items(items);
  const std::uint64_t ns = now_ns() - started_ - host_.for_others_ns_;
  const std::uint64_t stands_for = items + std::exchange(host_.untimed_items_, 0);
  host_.untimed_steps_ = 0;
  host_.busy_ns_.fetch_add(ns * stands_for / items, std::memory_order_relaxed);
  host_.learn_cost(ns, items);
}

void Host::wake_readers() {
  outbox_.for_each_touched([](Channel& channel) { channel.reader->wake(); });
}

void Host::wake_writers() {
  for (const auto& edges : inputs_) {
    for (Channel* channel : edges) {
      if (channel->take_space_request()) channel->writer->wake();
    }
  }
}

void Host::finish() {
  const Status closed = close();
  if (!closed.is_ok()) {
    engine_.fail(closed.with_context(name()));
    return;
  }
  done_.store(true, std::memory_order_release);
  outbox_.send_end();
  wake_readers();
  engine_.host_done();
}

void Host::reject(TokenRef& token, Status status, const std::string* node) {
  const std::string& at = node != nullptr ? *node : name();
  add_plainly(rejected_, 1);
  const bool fatal = common->on_error == OnError::kFail || engine_.options().fail_fast;
  if (fatal) {
    engine_.fail(Status(status.code(), status.reason(),
                        "item " + token->key() + " at " + at + ": " + status.message()));
  }
  token.reject({at, std::move(status), 1});
}

void Host::discard() { outbox_.clear(); }

NodeStats Host::stats() const {
  NodeStats stats;
  stats.name = plan_node_.name;
  stats.type = plan_node_.spec().type();
  stats.items = items_.load(std::memory_order_relaxed);
  stats.rejected = rejected_.load(std::memory_order_relaxed);
  stats.busy_ns = busy_ns_.load(std::memory_order_relaxed);
  stats.blocked = blocked_.load(std::memory_order_relaxed);
  stats.execution = plan_node_.execution();
  stats.model = plan_node_.ports.model;
  if (measures_) {
    stats.measures = std::make_shared<const NodeMeasures>(NodeMeasures{
        measures_->calls.so_far(), measures_->blocked_ns.load(std::memory_order_relaxed),
        measures_->allocations.load(std::memory_order_relaxed)});
  }
  return stats;
}

std::string Host::waiting_for() const {
  if (is_done()) return "done";
  if (state_.load(std::memory_order_relaxed) != kIdle) return "running";
  if (const Channel* full = outbox_.full_reader()) {
    return "waits for room in the queue of " + full->reader->name() + " (" +
           std::to_string(full->items()) + "/" + std::to_string(full->capacity_items()) + ")";
  }
  for (const auto& edges : inputs_) {
    for (const Channel* channel : edges) {
      if (channel->items() == 0) return "waits for " + channel->writer->name();
    }
  }
  return inputs_.empty() ? "waits for items to be settled" : "waits";
}

const std::shared_ptr<MemoryBudget>& Host::budget() { return engine_.budget(); }
Clock& Host::clock() { return engine_.clock(); }
std::stop_token Host::stop() { return engine_.stop_token(); }
void Host::fail_run(Status status) { engine_.fail(status.with_context(name())); }

}  // namespace sluice
