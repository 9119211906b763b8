#pragma once

#include "sluice/core/packet.h"
#include "sluice/graphs/plan.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

// What stands in front of a node for one sequence number: its paired inputs, or a marker.
struct Unit {
  std::vector<PayloadRef> inputs;  // one a port, empty where unwired; nothing for a marker
  TokenRef token;                  // of an item, and of a group end that has an item behind it
  GroupRef group;
  std::uint64_t seq = 0;
  PacketKind kind = PacketKind::kItem;
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

  // The next unit in order, when all of it is there.
  std::optional<Unit> next();

  // Whether it holds nothing.
  bool is_empty() const { return slots_.empty(); }
  std::size_t held() const { return slots_.size(); }

  // Gives up what it holds: the items are not coming out any more.
  void clear();

 private:
  struct Slot {
    std::vector<std::optional<Packet>> packets;  // one a lead input
    std::uint32_t arrived = 0;                   // edges that have filled it
  };
  // An input from a scope around: packets by their own number, from `first` on.
  struct Outer {
    std::size_t input = 0;
    int distance = 0;  // scopes between it and the node's own
    std::uint64_t first = 0;
    struct Lent {
      std::optional<Packet> packet;
      bool released = false;
    };
    std::deque<Lent> packets;
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
  Unit combine(Slot& slot, std::uint64_t seq);
  // Lends the outer inputs to an item; false when one has not come yet.
  bool outers_are_here(const Slot& slot) const;
  void lend_outers(Unit& unit);
  void release_outers(const Unit& group_end);
  static const Group* ancestor(const GroupRef& group, int distance);

  const std::string node_name_;
  const std::size_t input_count_;
  std::vector<Role> roles_;  // one an input
  std::vector<std::size_t> lead_inputs_;
  std::uint32_t edges_per_slot_ = 0;
  std::uint64_t first_ = 0;  // number of slots_[0]
  std::uint64_t renumbered_ = 0;
  std::deque<Slot> slots_;
  std::deque<Outer> outers_;
};

}  // namespace sluice
