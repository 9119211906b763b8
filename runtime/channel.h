#pragma once

#include "sluice/core/options.h"
#include "sluice/core/packet.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

namespace sluice {

class Host;

// The bounded queue on an edge: packets in order, one writer, one reader.
//
// Capacity counts items and their bytes; markers are always taken and count for nothing, so that
// what settles joins and gathers never waits for room. An empty channel takes one item of any size.
// Threads: the writer's calls on one thread at a time, the reader's on one; `want_space` and
// `items` from any. Lock-free, but for drop_oldest, where the writer takes from the reader's end.
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

  // Writer. Whether an item of `bytes` would be taken now.
  bool has_room(std::uint64_t bytes);
  // Writer. Adds a packet, which its reader sees at once. A full channel that blocks must not be
  // given an item; one that drops does so, and leaves a marker in its place.
  void push(Packet packet);
  // Writer. Asks to be woken when there is room for `bytes`; false when there is room after all.
  bool ask_for_space(std::uint64_t bytes);

  // Reader. The next packet, or none.
  std::optional<Packet> take();
  // Reader, after taking. True when the writer asked for space and is to be woken now.
  bool take_space_request();

  std::uint32_t items() const;  // items queued, about
  std::uint32_t capacity_items() const { return capacity_.items; }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kBlockPackets = 32;
  struct Block {
    std::array<Packet, kBlockPackets> packets;
    std::atomic<Block*> next{nullptr};
  };

  void push_locked(Packet packet);
  std::optional<Packet> take_locked();
  Block* new_block();

  const Capacity capacity_;

  // Writer's.
  alignas(64) Block* tail_;
  std::size_t tail_index_ = 0;
  std::uint64_t pushed_ = 0;
  std::atomic<std::uint64_t> published_{0};  // packets, markers included
  std::atomic<std::uint64_t> pushed_items_{0};
  std::atomic<std::uint64_t> pushed_bytes_{0};

  // Reader's.
  alignas(64) Block* head_;
  std::size_t head_index_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t seen_ = 0;  // of published_
  std::atomic<std::uint64_t> popped_items_{0};
  std::atomic<std::uint64_t> popped_bytes_{0};

  // Both.
  alignas(64) std::atomic<bool> want_space_{false};
  std::atomic<std::uint64_t> wanted_bytes_{0};
  std::atomic<Block*> spare_{nullptr};
  std::atomic<std::uint64_t> dropped_{0};

  // drop_oldest only.
  std::mutex mutex_;
  std::deque<Packet> queue_;
};

}  // namespace sluice
