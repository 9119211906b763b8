#include "sluice/runtime/source_host.h"

#include "sluice/runtime/app_ports.h"
#include "sluice/runtime/engine.h"
#include "sluice/runtime/node_host.h"
#include "sluice/runtime/worker_threads.h"

#include <algorithm>
#include <utility>

namespace sluice {

SourceHost::SourceHost(Engine& engine, PlanNode& node, std::size_t place,
                       std::vector<std::vector<Channel*>> outputs)
    : Host(engine, node, place, {}, std::move(outputs)),
      node_(*std::get<std::unique_ptr<Node>>(node.node)),
      blocking_(node.spec().execution() == ExecutionClass::kBlocking),
      empties_itself_(dynamic_cast<HasAppInput*>(&node_) != nullptr),
      limit_(engine.options().limit.value_or(UINT64_MAX)) {
  for (std::size_t output = 0; output < wanted.size(); ++output) {
    if (wanted[output] != 0) last_read_ = output;
  }
}

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
  if (!outbox_.drain()) return Step::kWaiting;
  const Step next = ended_ ? Step::kWaiting : make_items();
  if (!outbox_.drain()) count_blocked();
  wake_readers();
  if (ended_ && outbox_.is_empty()) {
    finish();
    return Step::kWaiting;
  }
  return outbox_.is_empty() ? next : Step::kWaiting;
}

// Makes a burst of items, as far as the pipeline lets them in and the readers have room. A thread
// of its own is there to wait, so from there each item goes out as it comes.
Host::Step SourceHost::make_items() {
  constexpr std::int64_t kBurst = 64;
  const std::int64_t at_once = blocking_ ? 1 : kBurst;
  Step next = Step::kWaiting;
  std::int64_t let_in = 0;
  for (std::int64_t i = 0; i < kBurst && outbox_.is_empty(); ++i) {
    if (is_stopped() || number_ >= limit_) {
      ended_ = true;
      break;
    }
    if (let_in == 0) let_in = engine_.let_in(at_once);
    if (let_in == 0) break;
    const Next made = make_item();
    if (made == Next::kItem) --let_in;
    if (blocking_) wake_readers();
    next = Step::kAgain;
    ended_ = made == Next::kEnd;
    if (made != Next::kItem) break;
  }
  if (let_in > 0) engine_.give_back(let_in);
  return next;
}

bool SourceHost::is_stopped() const {
  return engine_.sources_are_stopped() && (!empties_itself_ || engine_.was_aborted());
}

Next SourceHost::make_item() {
  TokenRef token = TokenRef::make(&engine_);
  token->source = &name();
  token->number = number_;
  emissions_.clear();
  Item item(*this, {}, *token, 0, emissions_);
  SourceContext ctx(*this, &item, &*token);
  const StepTime time(*this);
  const Result<Next> made = node_calls::next(node_, ctx);
  if (made && *made != Next::kItem) {
    token.forget();
    return *made;
  }
  if (!made && !token->has_own_key()) {
    token.forget();
    engine_.fail(made.status().with_context(name()));
    return Next::kEnd;
  }
  time.account(1);
  if (made) {
    send(std::move(token));
  } else {
    for (std::size_t output = 0; output < wanted.size(); ++output) {
      if (wanted[output] != 0) outbox_.send(output, Packet::marker(PacketKind::kRejected, number_));
    }
    reject(token, made.status());
  }
  ++number_;
  return Next::kItem;
}

void SourceHost::send(TokenRef token) {
  for (std::size_t output = 0; output < wanted.size(); ++output) {
    if (wanted[output] == 0) continue;
    Packet packet = Packet::marker(PacketKind::kFiltered, number_);
    const auto emission = std::find_if(emissions_.begin(), emissions_.end(),
                                       [&](const Emission& e) { return e.output == output; });
    if (emission != emissions_.end()) {
      packet.kind = PacketKind::kItem;
      packet.payload = std::move(emission->payload);
      packet.token = output == last_read_ ? std::move(token) : token.share();
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
