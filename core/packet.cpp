#include "sluice/core/packet.h"

namespace sluice {

GroupRef GroupRef::make(Group group) {
  auto* shared = new Group(std::move(group));
  shared->refs_.store(1, std::memory_order_relaxed);
  return GroupRef(shared);
}

GroupRef::GroupRef(const GroupRef& other) : group_(other.group_) {
  if (group_) group_->refs_.fetch_add(1, std::memory_order_relaxed);
}

void GroupRef::release() {
  if (group_->refs_.load(std::memory_order_acquire) == 1 ||
      group_->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete group_;
  }
}

Packet Packet::marker(PacketKind kind, std::uint64_t seq, GroupRef group) {
  Packet packet;
  packet.kind = kind;
  packet.seq = seq;
  packet.group = std::move(group);
  return packet;
}

Packet Packet::share() const {
  Packet packet;
  packet.payload = payload;
  packet.token = token.share();
  packet.group = group;
  packet.seq = seq;
  packet.kind = kind;
  return packet;
}

}  // namespace sluice
