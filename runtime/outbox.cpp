#include "sluice/runtime/outbox.h"

#include "sluice/runtime/host.h"

namespace sluice {

Outbox::Outbox(std::vector<std::vector<Channel*>> readers) : outputs_(readers.size()) {
  std::size_t count = 0;
  for (const auto& channels : readers) count += channels.size();
  edges_.reserve(count);
  for (std::size_t output = 0; output < readers.size(); ++output) {
    for (Channel* channel : readers[output]) {
      edges_.push_back({channel, {}, false});
      outputs_[output].push_back(&edges_.back());
    }
  }
}

void Outbox::send_to_all(const std::vector<Edge*>& edges, Packet& packet) {
  if (edges.empty()) {
    packet.token.deliver();
    return;
  }
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    Packet copy = packet.share();
    put(*edges[i], copy);
  }
  put(*edges.back(), packet);
}

void Outbox::send_end() {
  for (Edge& edge : edges_) {
    Packet end = Packet::marker(PacketKind::kEnd, 0);
    put(edge, end);
  }
}

bool Outbox::drain_edges() {
  for (Edge& edge : edges_) {
    while (!edge.waiting.empty()) {
      Packet& packet = edge.waiting.front();
      if (!edge.channel->try_push(packet)) {
        // Room that came between the two looks is used at once, else nobody would wake us for it.
        if (edge.channel->ask_for_space(packet.payload.size_bytes())) break;
        continue;
      }
      edge.touched = true;
      edge.waiting.pop_front();
      --waiting_;
    }
  }
  return waiting_ == 0;
}

void Outbox::begin_direct(std::uint64_t budget_ns) {
  for (Edge& edge : edges_) {
    DirectReader* reader = edge.channel->reader;
    if (edge.channel->blocks_when_full() && reader->begin_direct(budget_ns)) edge.direct = reader;
  }
}

void Outbox::end_direct() {
  for (Edge& edge : edges_) {
    if (edge.direct != nullptr) std::exchange(edge.direct, nullptr)->end_direct();
  }
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
