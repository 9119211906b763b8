#pragma once

#include "sluice/core/packet.h"
#include "sluice/graphs/plan.h"
#include "sluice/runtime/fifo.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice {

// What stands in front of a node for one sequence number: an item with its inputs, or a marker.
struct Unit {
  Packet packet;                   // of a node with several inputs without its payload
  std::vector<PayloadRef> inputs;  // of such a node: one a port, empty where unwired

  std::span<PayloadRef> payloads() {
    return inputs.empty() ? std::span(&packet.payload, 1) : std::span(inputs);
  }
  // Makes it as new, but keeps the memory of `inputs`.
  void reset() {
    inputs.clear();
    packet = Packet();
  }
};

// Pairs a node's inputs by item.
//
// Every edge carries one packet or marker for each number of its scope, so pairing is counting: a
// slot is complete when every edge of the node's own scope has filled it. An input from a scope
// around is held until the children of its item have all passed, and lent to each of them. Merged
// edges share an input: those of one scope fill one slot between them, those of different sources
// are numbered anew. Accepts always: what it holds is bounded by the items that sources have
// admitted. Threads: one thread at a time.
class Pairing {
 public:
  // `scopes` and `node` outlive it.
  Pairing(const std::vector<Scope>& scopes, const PlanNode& node, std::string node_name);

  // A packet or marker that came for `input`, never kEnd.
  void add(std::size_t input, Packet packet);

  // Makes `unit` the next one in order; false when not all of it is there.
  bool next(Unit& unit);

  // Whether it holds nothing.
  bool is_empty() const { return arrived_.empty(); }

  // Gives up what it holds: the items are not coming out any more.
  void clear();

 private:
  // An input from a scope around: packets by their own number, from `first` on.
  struct Outer {
    std::size_t input = 0;
    int distance = 0;  // scopes between it and the node's own
    std::uint64_t first = 0;
    struct Lent {
      std::optional<Packet> packet;
      bool released = false;
    };
    Fifo<Lent> packets;
    bool has(std::uint64_t seq) const;
    void release(std::uint64_t seq);
  };
  struct Role {
    bool lead = false;
    bool renumbers = false;
    std::size_t place = 0;  // among the leads or the outers
  };

  void add_lead(const Role& role, Packet packet);
  void merge_into(std::optional<Packet>& held, Packet packet);
  // The packet of the front slot for a lead input.
  Packet& front(std::size_t lead) { return *packets_[lead]; }
  void combine_front(Unit& unit);
  void pop_front();
  bool outers_are_here();
  void lend_outers(Unit& unit);
  void release_outers(const Packet& group_end);
  static const Group* ancestor(const GroupRef& group, int distance);

  const std::string node_name_;
  const std::size_t input_count_;
  std::vector<Role> roles_;  // one an input
  std::vector<std::size_t> lead_inputs_;
  std::uint32_t edges_per_slot_ = 0;
  std::uint64_t renumbered_ = 0;
  // Slots in order from number `first_` on: how many edges have filled each, and its packets, one a
  // lead input.
  std::uint64_t first_ = 0;
  Fifo<std::uint32_t> arrived_;
  Fifo<std::optional<Packet>> packets_;
  std::vector<Outer> outers_;
};

}  // namespace sluice
