#include "sluice/runtime/channel.h"

#include <algorithm>

namespace sluice {
namespace {

// The marker that stands where an item was dropped. Settles the item's share.
Packet dropped_marker(Packet& packet) {
  packet.token.drop();
  return Packet::marker(PacketKind::kDropped, packet.seq, std::move(packet.group));
}

}  // namespace

Channel::Channel(Capacity capacity) : capacity_(capacity), tail_(new Block), head_(tail_) {}

Channel::~Channel() {
  while (take() != nullptr) {
  }
  leave_slot();
  for (Block* block = head_; block != nullptr;) {
    Block* next = block->next.load(std::memory_order_relaxed);
    delete block;
    block = next;
  }
}

void Channel::add_block() {
  Block* block = new Block;
  tail_->next.store(block, std::memory_order_release);
  tail_ = block;
  tail_index_ = 0;
}

void Channel::next_block() {
  Block* old = head_;
  head_ = old->next.load(std::memory_order_acquire);
  head_index_ = 0;
  delete old;
}

// Of an item to a channel that drops, and of a marker to one that drops the oldest.
bool Channel::push_dropping(Packet& packet) {
  if (capacity_.when_full == WhenFull::kDropNewest) {
    if (items() < capacity_.items) {
      count_pushed(packet.payload.size_bytes());
    } else {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      packet = dropped_marker(packet);
    }
    append(packet);
    return true;
  }
  const std::lock_guard lock(mutex_);
  const bool is_item = packet.is_item();
  queue_.push_back(std::move(packet));
  if (!is_item) return true;
  pushed_items_.store(pushed_items_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (items() <= capacity_.items) return true;
  const auto oldest =
      std::find_if(queue_.begin(), queue_.end(), [](const Packet& p) { return p.is_item(); });
  *oldest = dropped_marker(*oldest);
  popped_items_.store(popped_items_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  dropped_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool Channel::ask_for_space(std::uint64_t bytes) {
  wanted_bytes_.store(bytes, std::memory_order_relaxed);
  want_space_.store(true, std::memory_order_relaxed);
  // The reader publishes what it took, fences, and reads the request; we publish the request,
  // fence, and read what it took: one of the two sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  look_at_reader();
  if (!fits(bytes)) return true;
  want_space_.store(false, std::memory_order_relaxed);
  return false;
}

Packet* Channel::take_locked() {
  const std::lock_guard lock(mutex_);
  taken_packet_ = Packet();
  if (queue_.empty()) return nullptr;
  taken_packet_ = std::move(queue_.front());
  queue_.pop_front();
  if (taken_packet_.is_item()) {
    popped_items_.store(popped_items_.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
  }
  return &taken_packet_;
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

}  // namespace sluice
