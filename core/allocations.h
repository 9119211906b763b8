#pragma once

#include <cstdint>

namespace sluice {

// Heap allocations, counted where the program cares to: one that defines its own operator new, as
// `sluice` does, calls `note_allocation` in it. Threads: each thread has a count of its own.
void note_allocation() noexcept;
// Those of the calling thread so far; 0 for ever in a program that does not count.
std::uint64_t allocations_of_this_thread() noexcept;

}  // namespace sluice
