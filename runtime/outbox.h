#pragma once

#include "sluice/core/packet.h"
#include "sluice/runtime/channel.h"
#include "sluice/runtime/fifo.h"

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace sluice {

// A reader that a writer may lend its thread to, to give it packets without the detour over the
// channel: `begin_direct`, then `accept` for one burst after the other, then `end_direct`.
class DirectReader {
 public:
  virtual ~DirectReader() = default;
  static constexpr std::size_t kMostBurst = 64;

  // `budget_ns`: what an item may cost here and further on; where it costs more, other threads are
  // to have a part of it. Gives how many packets a burst may have, at most kMostBurst: no more than
  // its channel would hold. 0: it is busy, or not of that kind.
  virtual std::size_t begin_direct(std::uint64_t budget_ns) = 0;
  // Takes packets from the first on, and gives how many; the others are to go over the channel
  // after all. What it leaves in those it took is of no use.
  virtual std::size_t accept(std::span<Packet> packets) = 0;
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
  // The same for several, at once where the reader takes them directly. What is left of them is of
  // no use.
  void send_burst(std::size_t output, std::span<Packet> packets);
  // Sends kEnd to every reader.
  void send_end();

  // Moves what it can; true when nothing is left. After false, readers that are full will wake the
  // node that owns this box.
  bool drain() { return waiting_ == 0 || drain_edges(); }
  bool is_empty() const { return waiting_ == 0; }
  // Whether the node is to go on: nothing waits, and no burst is complete.
  bool has_room() const { return waiting_ == 0 && !has_full_burst_; }

  // Until `end_direct`, what is sent is collected for those readers that take it directly, in
  // bursts of up to `most`, and given to them by `flush`.
  void begin_direct(std::uint64_t budget_ns, std::size_t most);
  // True when that made room, where there was none before.
  bool flush();
  void end_direct();
  // Whether it has readers, and each drops what it has no room for.
  bool never_waits() const;
  // Whether every reader takes directly what is sent now.
  bool is_direct() const;
  // How many packets make a burst for all that do.
  std::size_t burst() const;

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
    std::vector<Packet> burst = {};  // for `direct`
    std::uint64_t burst_bytes = 0;
    std::size_t most = 0;  // packets of a burst
  };
  // Its edges, which lie side by side.
  struct Output {
    Edge* first = nullptr;
    std::size_t count = 0;
  };

  // Bytes that are collected at most: what comes after is to find them in the cache.
  static constexpr std::uint64_t kBurstBytes = 16 << 10;

  void put(Edge& edge, Packet& packet) {
    if (edge.direct != nullptr) {
      collect(edge, packet);
    } else {
      put_in_channel(edge, packet);
    }
  }
  void collect(Edge& edge, Packet& packet) {
    if (packet.is_item()) edge.burst_bytes += packet.payload.size_bytes();
    edge.burst.push_back(std::move(packet));
    has_full_burst_ |= edge.burst.size() >= edge.most || edge.burst_bytes >= kBurstBytes;
  }
  void give(Edge& edge, std::span<Packet> packets);
  void put_in_channel(Edge& edge, Packet& packet) {
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
  bool has_full_burst_ = false;
};

}  // namespace sluice
