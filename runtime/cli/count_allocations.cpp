// An operator new that counts, so that `sluice bench` can say which node allocates, and tests that a
// call does not. Left out where a sanitizer has one of its own.
#include "sluice/core/allocations.h"

#include <cstdlib>
#include <new>

namespace {

void* allocate(std::size_t size) {
  sluice::note_allocation();
  for (;;) {
    if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
