#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace sluice {

// The idle blocks of the process, by size: what an item needs on its way (payloads, tokens, the
// bytes of tensors and pictures) is taken from here, so that a pipeline in its stride asks the
// system for nothing.
//
// Sizes come eight to a doubling, so a block is at most an eighth larger than asked for, and 64
// bytes at least; blocks are 64-byte aligned. Each thread keeps a few small blocks of each size,
// found without a lock; what is beyond that, and every large block, is on a shared list. Shared
// blocks that nobody needed for five seconds go back to the system, as the pool is used.
// Threads: thread-safe; a block may be given back on any thread. Blocks: on a list's lock, briefly.
class BlockPool {
 public:
  // At least `size_bytes`, not cleared. Null when the machine has no more.
  static void* take(std::size_t size_bytes);
  // `size_bytes` as it was asked for.
  static void give(void* block, std::size_t size_bytes);

  struct Stats {
    std::uint64_t reused;     // served from the pool
    std::uint64_t allocated;  // served by the system
    std::size_t idle_bytes;   // held by the pool, free
  };
  static Stats stats();
  // Gives idle blocks back to the system: the shared ones and those that the calling thread keeps.
  static void trim();
};

// Base of small objects that come and go with every item: their storage is the pool's.
struct Pooled {
  static void* operator new(std::size_t size_bytes) {
    if (void* block = BlockPool::take(size_bytes)) return block;
    throw std::bad_alloc();
  }
  static void* operator new(std::size_t, void* where) { return where; }
  static void operator delete(void* block, std::size_t size_bytes) {
    BlockPool::give(block, size_bytes);
  }
};

// Allocates from the pool: what a call needs for itself alone costs the system nothing either.
template <typename T>
struct PoolAllocator {
  using value_type = T;  // NOLINT(readability-identifier-naming): the standard's name
  PoolAllocator() = default;
  template <typename Other>
  PoolAllocator(const PoolAllocator<Other>&) {}
  T* allocate(std::size_t count) {
    if (void* block = BlockPool::take(count * sizeof(T))) return static_cast<T*>(block);
    throw std::bad_alloc();
  }
  void deallocate(T* block, std::size_t count) { BlockPool::give(block, count * sizeof(T)); }
  friend bool operator==(const PoolAllocator&, const PoolAllocator&) { return true; }
};
template <typename T>
using PooledVector = std::vector<T, PoolAllocator<T>>;

}  // namespace sluice
