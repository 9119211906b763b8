#include "sluice/core/allocations.h"

namespace sluice {
namespace {

// The library is loaded with the program, so its thread-local variables can be reached directly.
[[gnu::tls_model("initial-exec")]] constinit thread_local std::uint64_t allocations = 0;

}  // namespace

void note_allocation() noexcept { ++allocations; }
std::uint64_t allocations_of_this_thread() noexcept { return allocations; }

}  // namespace sluice
