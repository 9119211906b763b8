#pragma once

#include "sluice/core/packet.h"
#include "sluice/runtime/channel.h"

#include <cstdint>
#include <deque>
#include <vector>

namespace sluice {

// What a node has emitted and its readers have no room for yet. Each edge is drained by itself, in
// order; the node takes its next input when all are empty.
// Threads: one thread at a time.
class Outbox {
 public:
  // `readers[o]`: the channels that read output `o`. They outlive it.
  explicit Outbox(std::vector<std::vector<Channel*>> readers);

  // Sends a packet to every reader of an output; the last reader gets the packet itself.
  void send(std::size_t output, Packet packet);
  // Sends kEnd to every reader.
  void send_end();

  // Moves what it can; true when nothing is left. After false, readers that are full will wake the
  // node that owns this box.
  bool drain();
  bool is_empty() const { return waiting_ == 0; }
  std::size_t readers(std::size_t output) const { return outputs_[output].size(); }

  // Channels that were given something since the last call: their readers want to be woken.
  template <class Fn>
  void for_each_touched(Fn&& fn) {
    for (Edge& edge : edges_) {
      if (!edge.touched) continue;
      edge.touched = false;
      fn(*edge.channel);
    }
  }

  // Destroys what is waiting: the run was aborted.
  void clear();

  // A reader with no room, for reports; null when there is none.
  const Channel* full_reader() const;

 private:
  struct Edge {
    Channel* channel;
    std::deque<Packet> waiting;
    bool touched = false;
  };
  void put(Edge& edge, Packet packet);
  static bool try_put(Edge& edge, Packet& packet);

  std::deque<Edge> edges_;
  std::vector<std::vector<Edge*>> outputs_;
  std::size_t waiting_ = 0;
};

}  // namespace sluice
