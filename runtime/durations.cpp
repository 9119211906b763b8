#include "sluice/runtime/durations.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace sluice {
namespace {

constexpr unsigned kStepsLog = 3;

// Below eight nanoseconds each has a step of its own.
std::size_t step_of(std::uint64_t ns) {
  if (ns < (1u << kStepsLog)) return static_cast<std::size_t>(ns);
  const unsigned log = static_cast<unsigned>(std::bit_width(ns)) - 1;
  const std::uint64_t part = (ns >> (log - kStepsLog)) & ((1u << kStepsLog) - 1);
  const std::size_t step = ((log - kStepsLog + 1) << kStepsLog) + static_cast<std::size_t>(part);
  return std::min(step, Durations::kSteps - 1);
}

std::uint64_t middle_of(std::size_t step) {
  if (step < (1u << kStepsLog)) return step;
  const unsigned log = static_cast<unsigned>(step >> kStepsLog) + kStepsLog - 1;
  const std::uint64_t width = std::uint64_t{1} << (log - kStepsLog);
  const std::uint64_t part = step & ((1u << kStepsLog) - 1);
  return (std::uint64_t{1} << log) + part * width + width / 2;
}

}  // namespace

std::uint64_t Durations::count() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

std::uint64_t Durations::quantile(double share) const {
  const std::uint64_t all = count();
  if (all == 0) return 0;
  const double wanted = std::ceil(share * static_cast<double>(all));
  const std::uint64_t rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  std::size_t step = 0;
  for (; step + 1 < kSteps && (seen += counts_[step]) < rank; ++step) {
  }
  return middle_of(step);
}

Durations Durations::since(const Durations& earlier) const {
  Durations later = *this;
  for (std::size_t i = 0; i < kSteps; ++i) later.counts_[i] -= earlier.counts_[i];
  return later;
}

void DurationCounter::add(std::uint64_t ns) {
  counts_[step_of(ns)].fetch_add(1, std::memory_order_relaxed);
}

Durations DurationCounter::so_far() const {
  Durations durations;
  for (std::size_t i = 0; i < Durations::kSteps; ++i) {
    durations.counts_[i] = counts_[i].load(std::memory_order_relaxed);
  }
  return durations;
}

}  // namespace sluice
