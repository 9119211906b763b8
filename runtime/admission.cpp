#include "sluice/runtime/admission.h"

#include <algorithm>

namespace sluice {

Admission::Admission(std::size_t sources, int first_credits, int max_in_flight,
                     std::shared_ptr<MemoryBudget> budget)
    : max_in_flight_(std::max(1, max_in_flight)), budget_(std::move(budget)), sources_(sources) {
  for (Source& source : sources_) {
    source.credits = std::clamp<std::int64_t>(first_credits, 1, max_in_flight_);
  }
}

// What items are allocated over their lives is more than they hold at any one time, so the sum over
// the items in flight bounds what they can come to.
std::size_t Admission::Source::claimed_bytes() const {
  const std::int64_t items = in_flight.load(std::memory_order_relaxed);
  const std::size_t each = largest_item.load(std::memory_order_relaxed);
  if (items <= 0 || each == 0) return 0;
  return each > SIZE_MAX / static_cast<std::size_t>(items) ? SIZE_MAX
                                                           : each * static_cast<std::size_t>(items);
}

// How many more fit beside those in flight.
std::int64_t Admission::room_beside(const Source& source, std::int64_t in_flight) const {
  std::int64_t room = source.credits.load(std::memory_order_relaxed) - in_flight;
  const std::size_t limit = budget_->limit_bytes();
  if (limit != MemoryBudget::kUnlimited) {
    std::size_t left = limit;
    for (const Source& other : sources_) {
      if (&other != &source) left -= std::min(left, other.claimed_bytes());
    }
    const std::size_t largest = source.largest_item.load(std::memory_order_relaxed);
    if (largest > 0) {
      const std::size_t fit = std::min<std::size_t>(left / largest, INT64_MAX);
      room = std::min(room, static_cast<std::int64_t>(fit) - in_flight);
    }
    if (budget_->used_bytes() > limit / 4 * 3) room = 0;
  }
  return in_flight == 0 ? std::max<std::int64_t>(room, 1) : room;
}

std::int64_t Admission::let_in(std::size_t source, std::int64_t wanted) {
  Source& from = sources_[source];
  for (bool looked_again = false;;) {
    std::int64_t in_flight = from.in_flight.load(std::memory_order_seq_cst);
    const std::int64_t granted = std::min(wanted, room_beside(from, in_flight));
    if (granted > 0) {
      if (from.in_flight.compare_exchange_weak(in_flight, in_flight + granted,
                                               std::memory_order_acq_rel)) {
        return granted;
      }
    } else if (looked_again) {
      return 0;
    } else {
      // Note the wish, then look once more: `settled` changes the count first and reads the wish
      // after.
      refused_.store(true, std::memory_order_seq_cst);
      looked_again = true;
    }
  }
}

bool Admission::give_back(std::size_t source, std::int64_t items) {
  sources_[source].in_flight.fetch_sub(items, std::memory_order_seq_cst);
  return take_refusal();
}

bool Admission::settled(std::size_t source, std::int64_t items, std::size_t item_bytes) {
  Source& from = sources_[source];
  // The largest is forgotten slowly, so that one giant does not throttle the run for good.
  std::size_t largest = from.largest_item.load(std::memory_order_relaxed);
  const std::size_t next = std::max(item_bytes, largest - largest / 64);
  if (next != largest) {
    from.largest_item.compare_exchange_strong(largest, next, std::memory_order_relaxed);
  }
  std::int64_t credits = from.credits.load(std::memory_order_relaxed);
  while (credits < max_in_flight_ &&
         !from.credits.compare_exchange_weak(credits, std::min(credits + items, max_in_flight_),
                                             std::memory_order_relaxed)) {
  }
  from.in_flight.fetch_sub(items, std::memory_order_seq_cst);
  return take_refusal();
}

std::int64_t Admission::in_flight() const {
  std::int64_t all = 0;
  for (const Source& source : sources_) all += source.in_flight.load(std::memory_order_relaxed);
  return all;
}

bool Admission::take_refusal() {
  return refused_.load(std::memory_order_seq_cst) &&
         refused_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace sluice
