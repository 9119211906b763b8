#pragma once

#include "sluice/core/buffer.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

namespace sluice {

// Decides when a source may make its next item, so that memory is bounded: credits and bytes are
// asked for here and nowhere else in the graph.
//
// An item is let in while fewer than `max_in_flight` are on their way and while one more as large
// as the largest seen would still fit under the memory limit; an empty pipeline always takes one.
// It begins with few credits, because the size of an item is known only once some have passed, and
// gains one with each item that is settled. Threads: thread-safe.
class Admission {
 public:
  Admission(int first_credits, int max_in_flight, std::shared_ptr<MemoryBudget> budget);

  // Whether a source may make an item. False: ask again after the `settled` that says so.
  bool has_room();
  // A source has made an item. Several sources that asked at once may each make one.
  void admitted() { in_flight_.fetch_add(1, std::memory_order_acq_rel); }
  // An item has come to its end, having been allocated `item_bytes` over its life. True when a
  // source was refused since the last time, and is to be woken.
  bool settled(std::size_t item_bytes);

  std::int64_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

 private:
  bool fits(std::int64_t in_flight) const;

  const std::int64_t max_in_flight_;
  const std::shared_ptr<MemoryBudget> budget_;
  std::atomic<std::int64_t> credits_;
  std::atomic<std::int64_t> in_flight_{0};
  std::atomic<std::size_t> largest_item_{0};
  std::atomic<bool> refused_{false};
};

}  // namespace sluice
