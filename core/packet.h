#pragma once

#include "sluice/core/payload.h"
#include "sluice/core/token.h"

#include <atomic>
#include <cstdint>
#include <utility>

namespace sluice {

// What travels on an edge. Every edge carries, for each sequence number of its scope, exactly one
// of these, so that readers pair and count without asking anybody; all but kItem are markers, which
// hold no payload and take no slot in a channel.
enum class PacketKind : std::uint8_t {
  kItem,
  kFiltered,  // a node passed nothing on, as it may
  kRejected,  // a node rejected the item; its token says why
  kDropped,   // a declared policy dropped it
  kGroupEnd,  // the children of one parent are complete
  kEnd,       // nothing more will come
};

class Group;

// Shares a Group. Threads: the count is atomic, the handle is thread-compatible.
class GroupRef {
 public:
  GroupRef() = default;
  static GroupRef make(Group group);
  GroupRef(const GroupRef& other);
  GroupRef(GroupRef&& other) noexcept : group_(std::exchange(other.group_, nullptr)) {}
  GroupRef& operator=(GroupRef other) noexcept {
    std::swap(group_, other.group_);
    return *this;
  }
  ~GroupRef() {
    if (group_) release();
  }
  explicit operator bool() const { return group_ != nullptr; }
  const Group* operator->() const { return group_; }
  const Group& operator*() const { return *group_; }

 private:
  explicit GroupRef(const Group* group) : group_(group) {}
  void release();
  const Group* group_ = nullptr;
};

// The children that one split made of one parent: they are numbered first_seq .. first_seq + count
// - 1 in the scope that the split opens, and their kGroupEnd is first_seq + count.
class Group : public Pooled {
 public:
  std::uint64_t parent_seq = 0;
  PacketKind parent_kind = PacketKind::kItem;  // a marker's empty group says what it stands for
  std::uint64_t first_seq = 0;
  std::uint64_t count = 0;
  GroupRef parent_group;  // of the scope around; empty at the outermost

 private:
  friend class GroupRef;
  mutable std::atomic<std::uint32_t> refs_{0};

 public:
  Group() = default;
  Group(Group&& o) noexcept
      : parent_seq(o.parent_seq),
        parent_kind(o.parent_kind),
        first_seq(o.first_seq),
        count(o.count),
        parent_group(std::move(o.parent_group)) {}
};

// One item on its way, or a marker in its place. Moved from node to node, never copied by accident.
// Threads: thread-compatible.
struct Packet {
  PayloadRef payload;
  TokenRef token;
  GroupRef group;         // the group it is a child of; empty at the outermost scope
  std::uint64_t seq = 0;  // in its scope: dense, from 0
  PacketKind kind = PacketKind::kItem;

  bool is_item() const { return kind == PacketKind::kItem; }
  // Among the children of its split, from 0.
  std::uint64_t place() const { return group ? seq - group->first_seq : 0; }
  static Packet marker(PacketKind kind, std::uint64_t seq, GroupRef group = {});
  // Another packet for the same item: shares payload, token and group.
  Packet share() const;
};

}  // namespace sluice
