#include "sluice/runtime/outbox.h"

#include "sluice/runtime/host.h"

#include <algorithm>
#include <cassert>

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

void Outbox::send_burst(std::size_t output, std::span<Packet> packets) {
  const Output& to = outputs_[output];
  if (to.count == 1 && to.first->direct != nullptr && to.first->burst.empty()) {
    give(*to.first, packets);
    return;
  }
  for (Packet& packet : packets) send(output, std::move(packet));
}

// What the reader does not take goes over the channel, and so does all that follows.
void Outbox::give(Edge& edge, std::span<Packet> packets) {
  while (edge.direct != nullptr && !packets.empty()) {
    const std::span<Packet> burst = packets.first(std::min(edge.most, packets.size()));
    const std::size_t taken = edge.direct->accept(burst);
    if (taken < burst.size()) edge.direct = nullptr;
    packets = packets.subspan(taken);
  }
  for (Packet& packet : packets) put_in_channel(edge, packet);
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

void Outbox::begin_direct(std::uint64_t budget_ns, std::size_t most) {
  for (Edge& edge : edges_) {
    DirectReader* reader = edge.channel->reader;
    const std::size_t takes =
        edge.channel->blocks_when_full() ? reader->begin_direct(budget_ns) : 0;
    if (takes == 0) continue;
    edge.direct = edge.lent = reader;
    edge.most = std::min(most, takes);
    edge.burst.reserve(DirectReader::kMostBurst);
  }
}

bool Outbox::flush() {
  for (Edge& edge : edges_) {
    if (edge.burst.empty()) continue;
    give(edge, edge.burst);
    edge.burst.clear();
    edge.burst_bytes = 0;
  }
  return std::exchange(has_full_burst_, false) && waiting_ == 0;
}

bool Outbox::never_waits() const {
  return !edges_.empty() && std::ranges::none_of(edges_, [](const Edge& edge) {
    return edge.channel->blocks_when_full();
  });
}

bool Outbox::is_direct() const {
  return std::ranges::all_of(edges_, [](const Edge& edge) { return edge.direct != nullptr; });
}

std::size_t Outbox::burst() const {
  std::size_t burst = DirectReader::kMostBurst;
  for (const Edge& edge : edges_) {
    if (edge.direct != nullptr) burst = std::min(burst, edge.most);
  }
  return burst;
}

void Outbox::end_direct() {
  for (Edge& edge : edges_) {
    assert(edge.burst.empty());
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
