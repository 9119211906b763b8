#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace sluice {

// Many durations, by size: eight steps to a doubling, so that a quantile is off by an eighth at
// most. Threads: thread-compatible.
class Durations {
 public:
  static constexpr std::size_t kSteps = 8 * 45;  // up to 2^45 ns, about ten hours

  std::uint64_t count() const;
  // Nanoseconds; of none 0. `share`: 0..1.
  std::uint64_t quantile(double share) const;
  // What was added since `earlier` was looked at.
  Durations since(const Durations& earlier) const;

 private:
  friend class DurationCounter;
  std::array<std::uint64_t, kSteps> counts_{};
};

// Counts them while a run is measured. Threads: thread-safe.
class DurationCounter {
 public:
  void add(std::uint64_t ns);
  Durations so_far() const;

 private:
  std::array<std::atomic<std::uint64_t>, Durations::kSteps> counts_{};
};

}  // namespace sluice
