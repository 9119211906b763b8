#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "sluice/core/status.h"

namespace sluice {

// Where a buffer's bytes lie.
enum class MemoryKind : std::uint8_t { kHost, kPinned, kCuda };

// How many bytes the items in flight may hold. The limit is hard: what would pass it is refused, and
// the caller rejects its item. Threads: thread-safe.
class MemoryBudget {
 public:
  static constexpr std::size_t kUnlimited = SIZE_MAX;

  explicit MemoryBudget(std::size_t limit_bytes = kUnlimited) : limit_(limit_bytes) {}

  // Takes `bytes`, or takes nothing and returns false.
  bool try_charge(std::size_t bytes);
  void release(std::size_t bytes);

  std::size_t limit_bytes() const { return limit_; }
  std::size_t used_bytes() const { return used_.load(std::memory_order_relaxed); }
  std::size_t peak_bytes() const { return peak_.load(std::memory_order_relaxed); }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
  std::atomic<std::size_t> peak_{0};
};

// A reference-counted block of bytes, 64-byte aligned, that knows where it lies and who is charged.
// Contents are written by the one who allocated it and immutable once shared. Copying a Buffer shares.
// Threads: the handle is thread-compatible, the count is atomic. An empty Buffer holds nothing.
class Buffer {
 public:
  Buffer() = default;

  // Bytes from the process-wide pool, not cleared, charged to `budget` until the last copy is gone.
  // Errors: memory.limit when the budget is spent; memory.exhausted when the machine has no more.
  static Result<Buffer> allocate(std::size_t size_bytes,
                                 const std::shared_ptr<MemoryBudget>& budget = nullptr);
  // Bytes that somebody else owns; `release` runs when the last copy is gone.
  static Buffer adopt(void* data, std::size_t size_bytes, MemoryKind kind,
                      std::shared_ptr<const void> owner);

  explicit operator bool() const { return rep_ != nullptr; }
  std::byte* data() const;
  std::size_t size_bytes() const;
  MemoryKind kind() const;
  // True when no other handle shares the bytes, so that writing them harms nobody.
  bool is_unique() const;

  struct PoolStats {
    std::uint64_t reused;     // served from the pool
    std::uint64_t allocated;  // served by the system
    std::size_t idle_bytes;   // held by the pool, free
  };
  static PoolStats pool_stats();
  // Gives idle blocks back to the system.
  static void trim_pool();

 private:
  struct Rep;
  explicit Buffer(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}
  std::shared_ptr<Rep> rep_;
};

}  // namespace sluice
