#include "sluice/runtime/source_host.h"

#include "sluice/runtime/app_ports.h"
#include "sluice/runtime/engine.h"
#include "sluice/runtime/node_host.h"
#include "sluice/runtime/worker_threads.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sluice {

SourceHost::SourceHost(Engine& engine, PlanNode& node, std::size_t place,
                       std::vector<std::vector<Channel*>> outputs)
    : Host(engine, node, place, {}, std::move(outputs)),
      node_(*std::get<std::unique_ptr<Node>>(node.node)),
      blocking_(node.spec().execution() == ExecutionClass::kBlocking),
      empties_itself_(dynamic_cast<HasAppInput*>(&node_) != nullptr) {}

SourceHost::~SourceHost() { discard(); }

Status SourceHost::open() {
  Context ctx(*this, nullptr, 0);
  return node_calls::open(node_, ctx, 1);
}

void SourceHost::start() {
  if (blocking_) {
    thread_ = std::jthread([this] {
      name_this_thread(name());
      thread_loop();
    });
  }
  wake();
}

Status SourceHost::close() {
  Context ctx(*this, nullptr, 0);
  return node_calls::close(node_, ctx);
}

void SourceHost::discard() {
  leaving_.store(true, std::memory_order_release);
  work_.release();
  if (thread_.joinable()) thread_.join();
  Host::discard();
}

std::stop_token SourceHost::stop() { return engine_.source_stop_token(); }

void SourceHost::schedule(bool after_others) {
  if (blocking_) {
    work_.release();
  } else {
    Host::schedule(after_others);
  }
}

void SourceHost::thread_loop() {
  for (;;) {
    work_.acquire();
    if (leaving_.load(std::memory_order_acquire)) return;
    run();
    if (is_done()) return;
  }
}

Host::Step SourceHost::step() {
  constexpr int kBurst = 64;
  Step next = Step::kWaiting;
  // One look for room decides: a second one may find room and take back the request to be woken.
  bool drained = outbox_.drain();
  for (int i = 0; i < kBurst && drained && !ended_; ++i, drained = outbox_.drain()) {
    const bool stopped = stop().stop_requested() && (!empties_itself_ || engine_.was_aborted());
    if (stopped || number_ >= engine_.options().limit.value_or(UINT64_MAX)) {
      ended_ = true;
      break;
    }
    if (!engine_.admission().has_room()) break;
    const Next made = make_item();
    ended_ = made == Next::kEnd;
    // A thread of its own is there to wait, so each item goes out as it comes; on the pool a burst
    // does.
    if (blocking_) wake_readers();
    next = Step::kAgain;
    if (made == Next::kAgain) break;
  }
  if (!drained) {
    blocked_.fetch_add(1, std::memory_order_relaxed);
    next = Step::kWaiting;
  }
  wake_readers();
  if (ended_ && outbox_.is_empty()) {
    finish();
    return Step::kWaiting;
  }
  return ended_ ? Step::kWaiting : next;
}

Next SourceHost::make_item() {
  TokenRef token = TokenRef::make(&engine_);
  token->number = number_;
  token->born = clock().now();
  Item item(*this, {}, &*token, 0);
  SourceContext ctx(*this, &item, &*token);
  const auto started = std::chrono::steady_clock::now();
  const Result<Next> made = node_calls::next(node_, ctx);
  const auto spent = std::chrono::steady_clock::now() - started;
  busy_ns_.fetch_add(static_cast<std::uint64_t>(std::chrono::nanoseconds(spent).count()),
                     std::memory_order_relaxed);
  if (made && *made != Next::kItem) {
    token.forget();
    return *made;
  }
  if (!made && token->key.empty()) {
    token.forget();
    engine_.fail(made.status().with_context(name()));
    return Next::kEnd;
  }
  engine_.admission().admitted();
  engine_.writable_ledger().admitted();
  items_.fetch_add(1, std::memory_order_relaxed);
  if (token->key.empty()) token->key = name() + "#" + std::to_string(number_);
  if (made) {
    send(std::move(token), item.emissions());
  } else {
    for (std::size_t output = 0; output < wanted.size(); ++output) {
      if (wanted[output]) outbox_.send(output, Packet::marker(PacketKind::kRejected, number_));
    }
    reject(token, made.status());
  }
  ++number_;
  return Next::kItem;
}

void SourceHost::send(TokenRef token, std::vector<Emission>& emissions) {
  for (std::size_t output = 0; output < wanted.size(); ++output) {
    if (!wanted[output]) continue;
    Packet packet = Packet::marker(PacketKind::kFiltered, number_);
    const auto emission = std::find_if(emissions.begin(), emissions.end(),
                                       [&](const Emission& e) { return e.output == output; });
    if (emission != emissions.end()) {
      packet.kind = PacketKind::kItem;
      packet.payload = std::move(emission->payload);
      packet.token = token.share();
    }
    outbox_.send(output, std::move(packet));
  }
  token.deliver();
}

std::string SourceHost::waiting_for() const {
  if (is_done()) return "done";
  if (const Channel* full = outbox_.full_reader())
    return "waits for room in the queue of " + full->reader->name();
  return "waits for data, or for items on their way to be settled";
}

}  // namespace sluice
