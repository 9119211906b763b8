#include "sluice/runtime/flow_host.h"

#include "sluice/runtime/engine.h"
#include "sluice/runtime/node_host.h"

#include <utility>

namespace sluice {

FlowHost::FlowHost(Engine& engine, PlanNode& node, std::size_t place,
                   std::vector<std::vector<Channel*>> inputs,
                   std::vector<std::vector<Channel*>> outputs)
    : Host(engine, node, place, std::move(inputs), std::move(outputs)),
      node_(*std::get<std::unique_ptr<FlowNode>>(node.node)),
      gate_(*this) {
  for (const auto& edges : inputs_) edge_count_ += edges.size();
}

FlowHost::~FlowHost() = default;

Status FlowHost::open() { return node_calls::open(node_, gate_); }

Status FlowHost::close() {
  if (timer_) clock().cancel(*std::exchange(timer_, std::nullopt));
  return node_calls::close(node_, gate_);
}

void FlowHost::on_pool_idle() {
  if (!fed_.exchange(false, std::memory_order_acq_rel)) return;
  idle_.store(true, std::memory_order_release);
  wake();
}

void FlowHost::discard() {
  if (timer_) clock().cancel(*std::exchange(timer_, std::nullopt));
  Host::discard();
}

// What a flow node does wrong concerns no single item, so it ends the run.
bool FlowHost::check(const Status& status) {
  if (!status.is_ok()) engine_.fail(status.with_context(name()));
  return status.is_ok();
}

Host::Step FlowHost::step() {
  constexpr std::size_t kBurst = 64;
  if (outbox_.drain()) count_room();
  bool more = false;
  if (timer_rang_.exchange(false, std::memory_order_acq_rel) &&
      !check(node_calls::on_timer(node_, gate_))) {
    return Step::kWaiting;
  }
  if (idle_.exchange(false, std::memory_order_acq_rel) &&
      !check(node_calls::on_idle(node_, gate_))) {
    return Step::kWaiting;
  }
  for (std::size_t input = 0; input < inputs_.size(); ++input) {
    for (Channel* channel : inputs_[input]) {
      std::size_t taken = 0;
      for (; taken < kBurst; ++taken) {
        Packet* packet = channel->take();
        if (packet == nullptr) break;
        if (packet->kind == PacketKind::kEnd) {
          ++ended_edges_;
          continue;
        }
        if (packet->is_item()) count_items(1);
        if (!check(node_calls::on_packet(node_, gate_, input, std::move(*packet))))
          return Step::kWaiting;
        fed_.store(true, std::memory_order_release);
      }
      more = more || taken == kBurst;
    }
  }
  if (ended_edges_ == edge_count_ && !std::exchange(ended_, ended_edges_ == edge_count_)) {
    if (!check(node_calls::on_end(node_, gate_))) return Step::kWaiting;
  }
  if (!outbox_.drain()) count_blocked();
  wake_readers();
  wake_writers();
  if (ended_ && outbox_.is_empty()) {
    finish();
    return Step::kWaiting;
  }
  return more ? Step::kAgain : Step::kWaiting;
}

void FlowHost::Gate::send(std::size_t output, Packet packet) {
  if (host_.wanted[output] != 0) {
    host_.outbox_.send(output, std::move(packet));
  } else {
    packet.token.deliver();
  }
}

void FlowHost::Gate::set_timer(TimePoint when) {
  if (host_.timer_) host_.clock().cancel(*host_.timer_);
  FlowHost& host = host_;
  host.timer_ = host.clock().call_at(when, [&host] {
    host.timer_rang_.store(true, std::memory_order_release);
    host.wake();
  });
}

}  // namespace sluice
