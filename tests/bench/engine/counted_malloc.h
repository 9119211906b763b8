#pragma once

#include <cstdint>

namespace sluice::bench {

// How often the process has asked for memory so far. Threads: thread-safe.
std::uint64_t allocations();

}  // namespace sluice::bench
