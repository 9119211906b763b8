#include "sluice/runtime/outbox.h"

#include <utility>

namespace sluice {

Outbox::Outbox(std::vector<std::vector<Channel*>> readers) : outputs_(readers.size()) {
  for (std::size_t output = 0; output < readers.size(); ++output) {
    for (Channel* channel : readers[output]) {
      edges_.push_back({channel, {}, false});
      outputs_[output].push_back(&edges_.back());
    }
  }
}

void Outbox::send(std::size_t output, Packet packet) {
  const std::vector<Edge*>& edges = outputs_[output];
  if (edges.empty()) {
    packet.token.deliver();
    return;
  }
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) put(*edges[i], packet.share());
  put(*edges.back(), std::move(packet));
}

void Outbox::send_end() {
  for (Edge& edge : edges_) put(edge, Packet::marker(PacketKind::kEnd, 0));
}

bool Outbox::try_put(Edge& edge, Packet& packet) {
  if (packet.is_item()) {
    const std::uint64_t bytes = packet.payload.size_bytes();
    if (!edge.channel->has_room(bytes)) return false;
  }
  edge.channel->push(std::move(packet));
  edge.touched = true;
  return true;
}

void Outbox::put(Edge& edge, Packet packet) {
  if (edge.waiting.empty() && try_put(edge, packet)) return;
  edge.waiting.push_back(std::move(packet));
  ++waiting_;
}

bool Outbox::drain() {
  for (Edge& edge : edges_) {
    while (!edge.waiting.empty()) {
      if (!try_put(edge, edge.waiting.front())) {
        // Room that came between the two looks is used at once, else nobody would wake us for it.
        if (edge.channel->ask_for_space(edge.waiting.front().payload.size_bytes())) break;
        continue;
      }
      edge.waiting.pop_front();
      --waiting_;
    }
  }
  return waiting_ == 0;
}

void Outbox::clear() {
  for (Edge& edge : edges_) edge.waiting.clear();
  waiting_ = 0;
}

const Channel* Outbox::full_reader() const {
  for (const Edge& edge : edges_) {
    if (!edge.waiting.empty()) return edge.channel;
  }
  return nullptr;
}

}  // namespace sluice
