#include "sluice/runtime/admission.h"

#include <algorithm>

namespace sluice {

Admission::Admission(int first_credits, int max_in_flight, std::shared_ptr<MemoryBudget> budget)
    : max_in_flight_(std::max(1, max_in_flight)),
      budget_(std::move(budget)),
      credits_(std::clamp<std::int64_t>(first_credits, 1, max_in_flight_)) {}

bool Admission::fits(std::int64_t in_flight) const {
  if (in_flight == 0) return true;
  if (in_flight >= credits_.load(std::memory_order_relaxed)) return false;
  // What items are allocated over their lives is more than they hold at any one time, so the sum
  // over the items in flight bounds what they can come to.
  const std::size_t limit = budget_->limit_bytes();
  if (limit == MemoryBudget::kUnlimited) return true;
  const std::size_t largest = largest_item_.load(std::memory_order_relaxed);
  return largest <= limit / static_cast<std::size_t>(in_flight + 1) &&
         budget_->used_bytes() <= limit / 4 * 3;
}

bool Admission::has_room() {
  if (fits(in_flight_.load(std::memory_order_acquire))) return true;
  // Note the wish, then look once more: `settled` changes the count first and reads the wish after.
  refused_.store(true, std::memory_order_seq_cst);
  return fits(in_flight_.load(std::memory_order_seq_cst));
}

bool Admission::settled(std::size_t item_bytes) {
  // The largest is forgotten slowly, so that one giant does not throttle the run for good.
  std::size_t largest = largest_item_.load(std::memory_order_relaxed);
  const std::size_t next = std::max(item_bytes, largest - largest / 64);
  largest_item_.compare_exchange_strong(largest, next, std::memory_order_relaxed);
  if (credits_.load(std::memory_order_relaxed) < max_in_flight_)
    credits_.fetch_add(1, std::memory_order_relaxed);
  in_flight_.fetch_sub(1, std::memory_order_seq_cst);
  return refused_.load(std::memory_order_seq_cst) &&
         refused_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace sluice
