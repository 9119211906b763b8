#include "sluice/runtime/outbox.h"

#include "sluice/runtime/host.h"

namespace sluice {

Outbox::Outbox(const std::vector<std::vector<Channel*>>& readers) : outputs_(readers.size()) {
  for (const auto& channels : readers) {
    for (Channel* channel : channels) edges_.push_back({channel});
  }
  Edge* first = edges_.data();
  for (std::size_t output = 0; output < readers.size(); ++output) {
    outputs_[output] = {first, readers[output].size()};
    first += readers[output].size();
  }
}

void Outbox::send_to_all(const Output& output, Packet& packet) {
  if (output.count == 0) {
    packet.token.deliver();
    return;
  }
  for (std::size_t i = 0; i + 1 < output.count; ++i) {
    Packet copy = packet.share();
    put(output.first[i], copy);
  }
  put(output.first[output.count - 1], packet);
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
    if (edge.channel->blocks_when_full() && reader->begin_direct(budget_ns)) {
      edge.direct = edge.lent = reader;
    }
  }
}

void Outbox::end_direct() {
  for (Edge& edge : edges_) {
    edge.direct = nullptr;
    if (edge.lent != nullptr) std::exchange(edge.lent, nullptr)->end_direct();
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
