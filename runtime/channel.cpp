#include "sluice/runtime/channel.h"

#include <algorithm>

namespace sluice {
namespace {

std::uint64_t bytes_of(const Packet& packet) {
  return packet.payload ? packet.payload.size_bytes() : 0;
}

// The marker that stands where an item was dropped. Settles the item's share.
Packet dropped_marker(Packet& packet) {
  packet.token.drop();
  return Packet::marker(PacketKind::kDropped, packet.seq, std::move(packet.group));
}

}  // namespace

Channel::Channel(Capacity capacity) : capacity_(capacity), tail_(new Block), head_(tail_) {}

Channel::~Channel() {
  for (Block* block = head_; block != nullptr;) {
    Block* next = block->next.load(std::memory_order_relaxed);
    delete block;
    block = next;
  }
  delete spare_.load(std::memory_order_relaxed);
}

bool Channel::has_room(std::uint64_t bytes) {
  if (capacity_.when_full != WhenFull::kBlock) return true;
  const std::uint64_t items =
      pushed_items_.load(std::memory_order_relaxed) - popped_items_.load(std::memory_order_acquire);
  if (items == 0) return true;
  if (items >= capacity_.items) return false;
  const std::uint64_t queued =
      pushed_bytes_.load(std::memory_order_relaxed) - popped_bytes_.load(std::memory_order_acquire);
  return queued + bytes <= capacity_.bytes;
}

void Channel::push(Packet packet) {
  if (capacity_.when_full == WhenFull::kDropOldest) return push_locked(std::move(packet));
  if (packet.is_item()) {
    if (capacity_.when_full == WhenFull::kDropNewest && items() >= capacity_.items) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      packet = dropped_marker(packet);
    } else {
      // One writer: plain loads and stores do, no read-modify-write.
      pushed_bytes_.store(pushed_bytes_.load(std::memory_order_relaxed) + bytes_of(packet),
                          std::memory_order_relaxed);
      pushed_items_.store(pushed_items_.load(std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);
    }
  }
  if (tail_index_ == kBlockPackets) {
    Block* block = new_block();
    tail_->next.store(block, std::memory_order_release);
    tail_ = block;
    tail_index_ = 0;
  }
  tail_->packets[tail_index_++] = std::move(packet);
  published_.store(++pushed_, std::memory_order_release);
}

void Channel::push_locked(Packet packet) {
  const std::lock_guard lock(mutex_);
  const bool is_item = packet.is_item();
  queue_.push_back(std::move(packet));
  if (!is_item) return;
  pushed_items_.store(pushed_items_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (items() <= capacity_.items) return;
  const auto oldest =
      std::find_if(queue_.begin(), queue_.end(), [](const Packet& p) { return p.is_item(); });
  *oldest = dropped_marker(*oldest);
  popped_items_.store(popped_items_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  dropped_.fetch_add(1, std::memory_order_relaxed);
}

bool Channel::ask_for_space(std::uint64_t bytes) {
  wanted_bytes_.store(bytes, std::memory_order_relaxed);
  want_space_.store(true, std::memory_order_relaxed);
  // The reader publishes what it took, fences, and reads the request; we publish the request,
  // fence, and read what it took: one of the two sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!has_room(bytes)) return true;
  want_space_.store(false, std::memory_order_relaxed);
  return false;
}

std::optional<Packet> Channel::take() {
  if (capacity_.when_full == WhenFull::kDropOldest) return take_locked();
  if (taken_ == seen_) {
    seen_ = published_.load(std::memory_order_acquire);
    if (taken_ == seen_) return std::nullopt;
  }
  if (head_index_ == kBlockPackets) {
    Block* old = head_;
    head_ = old->next.load(std::memory_order_acquire);
    head_index_ = 0;
    old->next.store(nullptr, std::memory_order_relaxed);
    delete spare_.exchange(old, std::memory_order_acq_rel);
  }
  ++taken_;
  Packet packet = std::move(head_->packets[head_index_++]);
  if (packet.is_item()) {
    popped_bytes_.store(popped_bytes_.load(std::memory_order_relaxed) + bytes_of(packet),
                        std::memory_order_release);
    popped_items_.store(popped_items_.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
  }
  return packet;
}

std::optional<Packet> Channel::take_locked() {
  const std::lock_guard lock(mutex_);
  if (queue_.empty()) return std::nullopt;
  Packet packet = std::move(queue_.front());
  queue_.pop_front();
  if (packet.is_item()) {
    popped_items_.store(popped_items_.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
  }
  return packet;
}

bool Channel::take_space_request() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!want_space_.load(std::memory_order_relaxed)) return false;
  // Waking the writer at half empty rather than at the first free slot halves the wake-ups.
  const std::uint32_t queued = items();
  if (queued > capacity_.items / 2) return false;
  const std::uint64_t bytes =
      pushed_bytes_.load(std::memory_order_relaxed) - popped_bytes_.load(std::memory_order_relaxed);
  if (queued > 0 && bytes + wanted_bytes_.load(std::memory_order_relaxed) > capacity_.bytes)
    return false;
  return want_space_.exchange(false, std::memory_order_acq_rel);
}

std::uint32_t Channel::items() const {
  const std::uint64_t popped = popped_items_.load(std::memory_order_acquire);
  const std::uint64_t pushed = pushed_items_.load(std::memory_order_acquire);
  return static_cast<std::uint32_t>(pushed - popped);
}

Channel::Block* Channel::new_block() {
  Block* block = spare_.exchange(nullptr, std::memory_order_acq_rel);
  return block ? block : new Block;
}

}  // namespace sluice
