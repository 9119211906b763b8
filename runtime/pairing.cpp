#include "sluice/runtime/pairing.h"

#include <cassert>
#include <utility>

namespace sluice {
namespace {

// Which of two markers for one item speaks louder.
int weight(PacketKind kind) {
  switch (kind) {
    case PacketKind::kRejected:
      return 3;
    case PacketKind::kDropped:
      return 2;
    case PacketKind::kFiltered:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

Pairing::Pairing(const std::vector<Scope>& scopes, const PlanNode& node, std::string node_name)
    : node_name_(std::move(node_name)),
      input_count_(node.inputs.size()),
      roles_(node.inputs.size()) {
  const int own_depth = scopes[static_cast<std::size_t>(node.scope)].depth;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const PlanInput& input = node.inputs[i];
    if (input.edges.empty()) continue;
    const int depth = scopes[static_cast<std::size_t>(input.scope)].depth;
    Role& role = roles_[i];
    role.lead = depth == own_depth;
    role.renumbers = input.renumbers;
    if (role.lead) {
      role.place = lead_inputs_.size();
      lead_inputs_.push_back(i);
      edges_per_slot_ += input.renumbers ? 1 : static_cast<std::uint32_t>(input.edges.size());
    } else {
      role.place = outers_.size();
      outers_.push_back({i, own_depth - depth, 0, {}});
    }
  }
}

void Pairing::add(std::size_t input, Packet packet) {
  const Role& role = roles_[input];
  if (role.renumbers) packet.seq = renumbered_++;
  if (role.lead) {
    add_lead(role, std::move(packet));
    return;
  }
  Outer& outer = outers_[role.place];
  assert(packet.seq >= outer.first);
  const std::size_t place = static_cast<std::size_t>(packet.seq - outer.first);
  while (place >= outer.packets.size()) outer.packets.push_back();
  outer.packets[place].packet = std::move(packet);
}

void Pairing::add_lead(const Role& role, Packet packet) {
  assert(packet.seq >= first_);
  const std::size_t place = static_cast<std::size_t>(packet.seq - first_);
  while (place >= arrived_.size()) {
    arrived_.push_back(0);
    for (std::size_t i = 0; i < lead_inputs_.size(); ++i) packets_.push_back();
  }
  merge_into(packets_[place * lead_inputs_.size() + role.place], std::move(packet));
  ++arrived_[place];
}

void Pairing::merge_into(std::optional<Packet>& held, Packet packet) {
  if (!held) {
    held = std::move(packet);
    return;
  }
  // Two edges of a merge for one number: at most one of them carries the item.
  if (packet.kind == PacketKind::kGroupEnd) {
    packet.token.deliver();
    return;
  }
  if (packet.is_item() && held->is_item()) {
    packet.token.reject(
        {node_name_, internal("merge.twice", "two writers of one input carry the same item"), 1});
    return;
  }
  if (packet.is_item() || (!held->is_item() && weight(packet.kind) > weight(held->kind)))
    held = std::move(packet);
}

bool Pairing::next(Unit& unit) {
  if (arrived_.empty() || arrived_.front() < edges_per_slot_) return false;
  if (!outers_are_here()) return false;
  combine_front(unit);
  pop_front();
  if (unit.packet.is_item()) lend_outers(unit);
  if (unit.packet.kind == PacketKind::kGroupEnd) release_outers(unit.packet);
  return true;
}

void Pairing::combine_front(Unit& unit) {
  unit.reset();
  Packet& all = unit.packet;
  all.seq = first_;
  all.group = front(0).group;
  for (std::size_t i = 0; i < lead_inputs_.size(); ++i) {
    const PacketKind kind = front(i).kind;
    if (kind == PacketKind::kGroupEnd || weight(kind) > weight(all.kind)) all.kind = kind;
  }
  const bool is_item = all.is_item();
  if (is_item) unit.inputs.resize(input_count_);
  for (std::size_t i = 0; i < lead_inputs_.size(); ++i) {
    Packet& packet = front(i);
    if (is_item) unit.inputs[lead_inputs_[i]] = std::move(packet.payload);
    // One share stands for all of the pair; a marker's partner has come to its end here.
    const bool keeps_token = is_item || all.kind == PacketKind::kGroupEnd;
    if (keeps_token && packet.token && !all.token) {
      all.token = std::move(packet.token);
    } else {
      packet.token.deliver();
    }
  }
}

void Pairing::pop_front() {
  for (std::size_t i = 0; i < lead_inputs_.size(); ++i) packets_.pop_front();
  arrived_.pop_front();
  ++first_;
}

const Group* Pairing::ancestor(const GroupRef& group, int distance) {
  const Group* g = &*group;
  for (int i = 1; i < distance; ++i) g = &*g->parent_group;
  return g;
}

// Whether what the front slot is to be lent has come.
bool Pairing::outers_are_here() {
  if (outers_.empty()) return true;
  PacketKind kind = PacketKind::kItem;
  for (std::size_t i = 0; i < lead_inputs_.size(); ++i) {
    if (!front(i).is_item()) kind = front(i).kind;
  }
  const GroupRef& group = front(0).group;
  if (kind == PacketKind::kItem) {
    for (const Outer& outer : outers_) {
      if (!outer.has(ancestor(group, outer.distance)->parent_seq)) return false;
    }
  }
  if (kind == PacketKind::kGroupEnd) {
    const Group* ended = &*group;
    for (int distance = 1;; ++distance, ended = &*ended->parent_group) {
      for (const Outer& outer : outers_) {
        if (outer.distance == distance && !outer.has(ended->parent_seq)) return false;
      }
      if (ended->parent_kind != PacketKind::kGroupEnd) break;
    }
  }
  return true;  // other markers need no inputs
}

void Pairing::lend_outers(Unit& unit) {
  PacketKind worst = PacketKind::kItem;
  for (const Outer& outer : outers_) {
    const std::uint64_t seq = ancestor(unit.packet.group, outer.distance)->parent_seq;
    const Packet& packet = *outer.packets[static_cast<std::size_t>(seq - outer.first)].packet;
    unit.inputs[outer.input] = packet.payload;
    if (weight(packet.kind) > weight(worst)) worst = packet.kind;
  }
  if (worst == PacketKind::kItem) return;
  unit.packet.kind = worst;
  unit.inputs.clear();
  unit.packet.token.deliver();
}

void Pairing::release_outers(const Packet& group_end) {
  // The end of a group ends the group around it too where the parent it stands for is itself an
  // end.
  const Group* ended = &*group_end.group;
  for (int distance = 1;; ++distance, ended = &*ended->parent_group) {
    for (Outer& outer : outers_) {
      if (outer.distance == distance) outer.release(ended->parent_seq);
    }
    if (ended->parent_kind != PacketKind::kGroupEnd) return;
  }
}

bool Pairing::Outer::has(std::uint64_t seq) const {
  const std::uint64_t place = seq - first;
  return place < packets.size() && packets[place].packet;
}

void Pairing::Outer::release(std::uint64_t seq) {
  Lent& lent = packets[static_cast<std::size_t>(seq - first)];
  lent.packet->token.deliver();
  lent.released = true;
  for (; !packets.empty() && packets.front().released; ++first) packets.pop_front();
}

void Pairing::clear() {
  arrived_.clear();
  packets_.clear();
  for (Outer& outer : outers_) outer.packets.clear();
}

}  // namespace sluice
