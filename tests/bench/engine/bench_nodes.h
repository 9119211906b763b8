#pragma once

#include "sluice/core/payload.h"

#include "tests/bench/engine/workload.h"

#include <cstddef>
#include <cstdint>

namespace sluice::bench {

// The smallest item there can be: its number.
struct Number {
  std::uint64_t value;
};

// The meters that `bench.count` and `bench.arrive` nodes find by their option `meter`. Set before a
// pipeline is loaded; borrowed until it has come to its end.
inline constexpr std::size_t kMeters = 4;
void set_meter(std::size_t place, Meter& meter);

}  // namespace sluice::bench

namespace sluice {
template <>
struct PayloadTraits<bench::Number> {
  static PayloadType describe();
};
}  // namespace sluice
