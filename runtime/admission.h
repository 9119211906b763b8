#pragma once

#include "sluice/core/buffer.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace sluice {

// Decides when a source may make its next items, so that memory is bounded: credits and bytes are
// asked for here and nowhere else in the graph.
//
// An item is let in while fewer than `max_in_flight` of its source are on their way and while one
// more as large as the largest seen of it would still fit under the memory limit beside all others;
// a source that has none on their way may always make one. Each begins with few credits, because
// the size of an item is known only once some have passed, and gains one with each item that is
// settled. Threads: thread-safe.
class Admission {
 public:
  Admission(std::size_t sources, int first_credits, int max_in_flight,
            std::shared_ptr<MemoryBudget> budget);

  // Lets in up to `wanted` items of a source, which it then makes or gives back. None: ask again
  // after the `settled` or `give_back` that says so.
  std::int64_t let_in(std::size_t source, std::int64_t wanted);
  // Of what was let in, `items` are not made after all. True when some source was refused since the
  // last time: all are to be woken.
  bool give_back(std::size_t source, std::int64_t items);
  // So many items have come to their end, the largest having been allocated `item_bytes` over its
  // life. True as for give_back.
  bool settled(std::size_t source, std::int64_t items, std::size_t item_bytes);

  std::int64_t in_flight() const;  // of all sources

 private:
  struct alignas(64) Source {
    std::atomic<std::int64_t> credits{0};
    std::atomic<std::int64_t> in_flight{0};
    std::atomic<std::size_t> largest_item{0};
    // What its items in flight may come to hold.
    std::size_t claimed_bytes() const;
  };

  std::int64_t room_beside(const Source& source, std::int64_t in_flight) const;
  bool take_refusal();

  const std::int64_t max_in_flight_;
  const std::shared_ptr<MemoryBudget> budget_;
  std::vector<Source> sources_;
  std::atomic<bool> refused_{false};
};

}  // namespace sluice
