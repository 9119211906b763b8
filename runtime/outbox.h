#pragma once

#include "sluice/core/packet.h"
#include "sluice/runtime/channel.h"
#include "sluice/runtime/fifo.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace sluice {

// A reader that a writer may lend its thread to for a burst, to give it packets without the detour
// over the channel: `begin_direct`, then `accept` for each, then `end_direct`.
class DirectReader {
 public:
  virtual ~DirectReader() = default;
  // `budget_ns`: what an item may cost here and further on; where it costs more, other threads are
  // to have a part of it. False: it is busy, or not of that kind.
  virtual bool begin_direct(std::uint64_t budget_ns) = 0;
  // False when the packet is to go over the channel after all. A packet that was accepted is empty.
  virtual bool accept(Packet& packet) = 0;
  virtual void end_direct() = 0;
};

// What a node has emitted and its readers have no room for yet. Each edge is drained by itself, in
// order; the node takes its next input when all are empty.
// Threads: one thread at a time.
class Outbox {
 public:
  // `readers[o]`: the channels that read output `o`. They outlive it.
  explicit Outbox(const std::vector<std::vector<Channel*>>& readers);

  // Sends a packet to every reader of an output; the last reader gets the packet itself.
  void send(std::size_t output, Packet&& packet) {
    const Output& to = outputs_[output];
    if (to.count == 1) {
      put(*to.first, packet);
    } else {
      send_to_all(to, packet);
    }
  }
  // Sends kEnd to every reader.
  void send_end();

  // Moves what it can; true when nothing is left. After false, readers that are full will wake the
  // node that owns this box.
  bool drain() { return waiting_ == 0 || drain_edges(); }
  bool is_empty() const { return waiting_ == 0; }

  // Until `end_direct`, what is sent goes at once to those readers that take it directly.
  void begin_direct(std::uint64_t budget_ns);
  void end_direct();

  // Channels that were given something since the last call: their readers want to be woken.
  template <class Fn>
  void for_each_touched(Fn&& fn) {
    for (Edge& edge : edges_) {
      if (std::exchange(edge.touched, false)) fn(*edge.channel);
    }
  }

  // Destroys what is waiting: the run was aborted.
  void clear();

  // A reader with no room, for reports; null when there is none.
  const Channel* full_reader() const;

 private:
  struct Edge {
    Channel* channel;
    DirectReader* direct = nullptr;  // takes what is sent, until something went over the channel
    DirectReader* lent = nullptr;    // has our thread until end_direct
    bool touched = false;
    Fifo<Packet> waiting = {};
  };
  // Its edges, which lie side by side.
  struct Output {
    Edge* first = nullptr;
    std::size_t count = 0;
  };

  void put(Edge& edge, Packet& packet) {
    if (edge.direct != nullptr && edge.direct->accept(packet)) return;
    put_in_channel(edge, packet);
  }
  void put_in_channel(Edge& edge, Packet& packet) {
    edge.direct = nullptr;
    if (edge.waiting.empty() && edge.channel->try_push(packet)) {
      edge.touched = true;
      return;
    }
    edge.waiting.push_back(std::move(packet));
    ++waiting_;
  }
  void send_to_all(const Output& output, Packet& packet);
  bool drain_edges();

  std::vector<Edge> edges_;
  std::vector<Output> outputs_;
  std::size_t waiting_ = 0;
};

}  // namespace sluice
