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

  // Lets in up to `wanted` items of a source, which it then makes or gives back. None: ask again
  // after the `settled` or `give_back` that says so.
  std::int64_t let_in(std::int64_t wanted);
  // Of what was let in, `items` are not made after all. True when a source was refused since the
  // last time, and is to be woken.
  bool give_back(std::int64_t items);
  // So many items have come to their end, the largest having been allocated `item_bytes` over its
  // life. True as for give_back.
  bool settled(std::int64_t items, std::size_t item_bytes);

  std::int64_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

 private:
  std::int64_t room_beside(std::int64_t in_flight) const;
  bool take_refusal();

  const std::int64_t max_in_flight_;
  const std::shared_ptr<MemoryBudget> budget_;
  std::atomic<std::int64_t> credits_;
  std::atomic<std::int64_t> in_flight_{0};
  std::atomic<std::size_t> largest_item_{0};
  std::atomic<bool> refused_{false};
};

}  // namespace sluice
