#include "sluice/runtime/source_host.h"

#include "sluice/runtime/app_ports.h"
#include "sluice/runtime/engine.h"
#include "sluice/runtime/node_host.h"
#include "sluice/runtime/worker_threads.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

constexpr std::int64_t kBurst = 64;  // items a step makes at most

AppInput* app_input_of(Node& node) {
  auto* const owner = dynamic_cast<HasAppInput*>(&node);
  return owner != nullptr ? &owner->app_input() : nullptr;
}

}  // namespace

SourceHost::SourceHost(Engine& engine, PlanNode& node, std::size_t place, std::size_t index,
                       std::vector<std::vector<Channel*>> outputs)
    : Host(engine, node, place, {}, std::move(outputs)),
      node_(*std::get<std::unique_ptr<Node>>(node.node)),
      blocking_(node.spec().execution() == ExecutionClass::kBlocking),
      app_input_(app_input_of(node_)),
      limit_(engine.options().limit.value_or(UINT64_MAX)),
      index_(index) {
  for (std::size_t output = 0; output < wanted.size(); ++output) {
    if (wanted[output] != 0) last_read_ = output;
  }
  never_waits_ = outbox_.never_waits();
}

SourceHost::~SourceHost() { end_thread(); }

Status SourceHost::open() {
  Context ctx(*this, nullptr, 0);
  return node_calls::open(node_, ctx, 1);
}

void SourceHost::start() {
  if (app_input_ != nullptr) app_input_->set_puller(*this);
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

void SourceHost::end_thread() {
  leaving_.store(true, std::memory_order_release);
  work_.release();
  if (thread_.joinable()) thread_.join();
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
  if (!outbox_.drain()) {
    wake_readers();  // of what has found room
    return Step::kWaiting;
  }
  count_room();
  const Step next = ended_ ? Step::kWaiting : blocking_ ? wait_for_items() : make_burst();
  if (!outbox_.drain()) count_blocked();
  wake_readers();
  if (ended_ && outbox_.is_empty()) {
    finish();
    return Step::kWaiting;
  }
  return outbox_.is_empty() ? next : Step::kWaiting;
}

// On the pool: a burst, as far as the pipeline lets it in and the readers have room.
Host::Step SourceHost::make_burst() {
  begin_direct_readers();
  Step next = Step::kWaiting;
  std::int64_t left = never_waits_ ? items_of_a_turn() : kBurst;
  do {
    const StepTime time(*this);
    const std::int64_t made = make_items(left, next);
    time.account(static_cast<std::uint64_t>(made));
    left -= made;
  } while (outbox_.flush());
  outbox_.end_direct();
  return next;
}

// Readers that drop what they have no room for do not hold a source back, and on a busy machine
// only others' turns let them read.
std::int64_t SourceHost::items_of_a_turn() const {
  const std::uint64_t cost = std::max<std::uint64_t>(1, cost_ns_.load(std::memory_order_relaxed));
  return static_cast<std::int64_t>(std::clamp<std::uint64_t>(kTurnNs / cost, 1, kBurst));
}

// Up to `most`; gives how many, and in `next` what the step is to say.
std::int64_t SourceHost::make_items(std::int64_t most, Step& next) {
  const bool notifies_each = cost_ns_.load(std::memory_order_relaxed) >= kNotifyEachNs;
  std::int64_t let_in = 0;
  std::int64_t made = 0;
  while (made < most && outbox_.has_room() && !comes_to_its_end()) {
    if (let_in == 0) let_in = engine_.let_in(index_, most - made);
    if (let_in == 0) break;
    const Next item = make_item();
    // A program that pushes wakes the node; any other source that has nothing yet is asked again.
    next = item == Next::kAgain && app_input_ != nullptr ? Step::kWaiting : Step::kAgain;
    if (item != Next::kItem) break;
    --let_in;
    ++made;
    if (notifies_each) {
      wake_readers();
      engine_.scheduler().share_grown();
    }
  }
  if (let_in > 0) engine_.give_back(index_, let_in);
  return made;
}

// On a thread of its own, which is there to wait: each item goes out as it comes, and what waits
// keeps nothing from others.
Host::Step SourceHost::wait_for_items() {
  if (comes_to_its_end()) return Step::kWaiting;
  if (engine_.let_in(index_, 1) == 0) return Step::kWaiting;
  const StepTime time(*this);
  if (make_item() == Next::kItem) {
    time.account(1);
  } else {
    engine_.give_back(index_, 1);
  }
  return Step::kAgain;
}

bool SourceHost::comes_to_its_end() {
  ended_ = ended_ || is_stopped() || number_ >= limit_;
  return ended_;
}

bool SourceHost::is_stopped() const {
  // What a program has pushed is still let in after a stop.
  return engine_.sources_are_stopped() && (app_input_ == nullptr || engine_.was_aborted());
}

Next SourceHost::make_item() {
  TokenRef token = TokenRef::make(&engine_);
  token->source = &name();
  token->source_index = index_;
  token->number = number_;
  emissions_.clear();
  Item item(*this, {}, *token, 0, emissions_);
  SourceContext ctx(*this, &item, &*token);
  const Result<Next> made = [&] {
    const CallTime time(measures_.get());
    return node_calls::next(node_, ctx);
  }();
  if (measures_) token->born = clock().now();
  if (made && *made != Next::kItem) {
    token.forget();
    ended_ = *made == Next::kEnd;
    return *made;
  }
  if (!made && !token->has_own_key()) {
    token.forget();
    engine_.fail(made.status().with_context(name()));
    ended_ = true;
    return Next::kEnd;
  }
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
