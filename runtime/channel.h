#pragma once

#include "sluice/core/options.h"
#include "sluice/core/packet.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <new>
#include <utility>

namespace sluice {

class Host;

// The bounded queue on an edge: packets in order, one writer, one reader.
//
// Capacity counts items and their bytes; markers are always taken and count for nothing, so that
// what settles joins and gathers never waits for room. An empty channel takes one item of any size.
// Threads: the writer's calls on one thread at a time, the reader's on one; `items` from any.
// Lock-free, but for drop_oldest, where the writer takes from the reader's end.
class Channel {
 public:
  struct Capacity {
    std::uint32_t items = 64;
    std::uint64_t bytes = 256ull << 20;
    WhenFull when_full = WhenFull::kBlock;
  };

  // Who is at its ends: set before the run, read by anybody.
  Host* writer = nullptr;
  Host* reader = nullptr;

  explicit Channel(Capacity capacity);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Writer. Takes the packet, which the reader sees at once, if there is room for it. A channel
  // that drops has room always, and leaves a marker where it dropped something.
  bool try_push(Packet& packet) {
    const bool plain = capacity_.when_full == WhenFull::kBlock;
    if (packet.is_item()) {
      if (!plain) return push_dropping(packet);
      const std::uint64_t bytes = packet.payload.size_bytes();
      if (!has_room(bytes)) return false;
      count_pushed(bytes);
    } else if (capacity_.when_full == WhenFull::kDropOldest) {
      return push_dropping(packet);
    }
    append(packet);
    return true;
  }
  // Writer. Whether an item of `bytes` would be taken now. REQUIRES: the channel blocks when full.
  bool has_room(std::uint64_t bytes) { return fits(bytes) || (look_at_reader(), fits(bytes)); }
  // Writer. Asks to be woken when there is room for `bytes`; false when there is room after all.
  bool ask_for_space(std::uint64_t bytes);

  // Reader. The next packet, or null. It is the reader's to empty, and lies there until the next
  // call.
  Packet* take() {
    if (capacity_.when_full == WhenFull::kDropOldest) return take_locked();
    leave_slot();
    if (taken_ == seen_) {
      seen_ = published_.load(std::memory_order_acquire);
      if (taken_ == seen_) return nullptr;
    }
    if (head_index_ == kBlockPackets) next_block();
    ++taken_;
    Packet* packet = head_->at(head_index_++);
    slot_ = packet;
    if (packet->is_item()) {
      // One reader: plain loads and stores do, no read-modify-write.
      popped_bytes_.store(
          popped_bytes_.load(std::memory_order_relaxed) + packet->payload.size_bytes(),
          std::memory_order_release);
      popped_items_.store(popped_items_.load(std::memory_order_relaxed) + 1,
                          std::memory_order_release);
    }
    return packet;
  }
  // Reader. Whether there is a packet to take. REQUIRES: the channel blocks when full.
  bool has_packet() const { return taken_ != published_.load(std::memory_order_acquire); }
  // Reader, after taking. True when the writer asked for space and is to be woken now.
  bool take_space_request();

  bool blocks_when_full() const { return capacity_.when_full == WhenFull::kBlock; }
  std::uint32_t items() const;  // items queued, about
  std::uint32_t capacity_items() const { return capacity_.items; }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kBlockPackets = 32;
  // Packets live in it from `append` until `leave_slot`.
  struct Block : Pooled {
    alignas(Packet) std::byte storage[kBlockPackets * sizeof(Packet)];
    std::atomic<Block*> next{nullptr};
    Packet* at(std::size_t index) {
      return std::launder(reinterpret_cast<Packet*>(storage + index * sizeof(Packet)));
    }
  };

  bool fits(std::uint64_t bytes) const {
    const std::uint64_t items = pushed_items_.load(std::memory_order_relaxed) - popped_items_seen_;
    if (items >= capacity_.items) return false;
    return items == 0 ||
           pushed_bytes_.load(std::memory_order_relaxed) - popped_bytes_seen_ + bytes <=
               capacity_.bytes;
  }
  void look_at_reader() {
    popped_items_seen_ = popped_items_.load(std::memory_order_acquire);
    popped_bytes_seen_ = popped_bytes_.load(std::memory_order_acquire);
  }
  void count_pushed(std::uint64_t bytes) {
    pushed_bytes_.store(pushed_bytes_.load(std::memory_order_relaxed) + bytes,
                        std::memory_order_relaxed);
    pushed_items_.store(pushed_items_.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
  }
  void append(Packet& packet) {
    if (tail_index_ == kBlockPackets) add_block();
    new (tail_->storage + tail_index_++ * sizeof(Packet)) Packet(std::move(packet));
    published_.store(++pushed_, std::memory_order_release);
  }
  void leave_slot() {
    if (slot_) std::exchange(slot_, nullptr)->~Packet();
  }
  void add_block();
  void next_block();
  bool push_dropping(Packet& packet);
  Packet* take_locked();

  const Capacity capacity_;

  // Writer's.
  alignas(64) Block* tail_;
  std::size_t tail_index_ = 0;
  std::uint64_t pushed_ = 0;
  std::uint64_t popped_items_seen_ = 0;
  std::uint64_t popped_bytes_seen_ = 0;
  std::atomic<std::uint64_t> published_{0};  // packets, markers included
  std::atomic<std::uint64_t> pushed_items_{0};
  std::atomic<std::uint64_t> pushed_bytes_{0};

  // Reader's.
  alignas(64) Block* head_;
  std::size_t head_index_ = 0;
  Packet* slot_ = nullptr;  // what was taken last
  std::uint64_t taken_ = 0;
  std::uint64_t seen_ = 0;  // of published_
  std::atomic<std::uint64_t> popped_items_{0};
  std::atomic<std::uint64_t> popped_bytes_{0};

  // Both.
  alignas(64) std::atomic<bool> want_space_{false};
  std::atomic<std::uint64_t> wanted_bytes_{0};
  std::atomic<std::uint64_t> dropped_{0};

  // drop_oldest only.
  std::mutex mutex_;
  std::deque<Packet> queue_;
  Packet taken_packet_;
};

}  // namespace sluice
