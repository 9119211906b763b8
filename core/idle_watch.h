#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace sluice {

// Knows how many blocks of a list nobody has needed for a while. For the pool.
// Threads: one at a time.
class IdleWatch {
 public:
  using Time = std::chrono::nanoseconds;  // since any beginning
  static constexpr Time kLimit = std::chrono::seconds(5);

  // The list has been used and holds `count` blocks now.
  void use(std::size_t count, Time now) {
    lowest_ = std::min(lowest_, count);
    used_at_ = now;
  }

  // How many of the list's `count` blocks stood idle for the limit: all, where the list was not
  // used for so long, else those that were left at each moment since the last call. The caller
  // takes them off the list.
  std::size_t take_stale(std::size_t count, Time now) {
    const std::size_t stale = now - used_at_ >= kLimit ? count : std::min(lowest_, count);
    lowest_ = count - stale;
    return stale;
  }

 private:
  std::size_t lowest_ = 0;
  Time used_at_{0};
};

}  // namespace sluice
