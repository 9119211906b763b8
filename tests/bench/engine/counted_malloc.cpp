// Takes the place of the C library's allocation functions in the program it is linked into,
// operator new and the shared libraries included, and counts their calls. What oneTBB takes out of
// its own pool for tasks is not among them.
#include "tests/bench/engine/counted_malloc.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

// glibc's own names for what is replaced here.
extern "C" {
void* __libc_malloc(std::size_t size);                           // NOLINT(*-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t size);        // NOLINT(*-reserved-identifier)
void* __libc_realloc(void* block, std::size_t size);             // NOLINT(*-reserved-identifier)
void* __libc_memalign(std::size_t alignment, std::size_t size);  // NOLINT(*-reserved-identifier)
}

namespace sluice::bench {
namespace {

std::atomic<std::uint64_t> calls{0};

void count() { calls.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

std::uint64_t allocations() { return calls.load(std::memory_order_relaxed); }

}  // namespace sluice::bench

extern "C" {

void* malloc(std::size_t size) {
  sluice::bench::count();
  return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
  sluice::bench::count();
  return __libc_calloc(count, size);
}

void* realloc(void* block, std::size_t size) {
  sluice::bench::count();
  return __libc_realloc(block, size);
}

void* memalign(std::size_t alignment, std::size_t size) {
  sluice::bench::count();
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  sluice::bench::count();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
  sluice::bench::count();
  *block = __libc_memalign(alignment, size);
  return *block == nullptr ? ENOMEM : 0;
}

}  // extern "C"
