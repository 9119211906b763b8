#pragma once

#include "sluice/core/status.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace sluice {

class Event;  // device.h

// Where a buffer's bytes lie.
enum class MemoryKind : std::uint8_t { kHost, kPinned, kCuda };

// How many bytes the items in flight may hold. The limit is hard: what would pass it is refused,
// and the caller rejects its item. Threads: thread-safe.
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
// Contents are written by the one who allocated it and immutable once shared. Copying a Buffer
// shares. Threads: the handle is thread-compatible, the count is atomic. An empty Buffer holds
// nothing.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer& other) : rep_(other.rep_) {
    if (rep_) rep_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Buffer(Buffer&& other) noexcept : rep_(std::exchange(other.rep_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(rep_, other.rep_);
    return *this;
  }
  ~Buffer() { reset(); }

  // Bytes from the BlockPool, not cleared. `size_bytes` are charged to `budget` until the last copy
  // is gone; the block behind them is up to an eighth larger. Zero bytes are a buffer, too. Errors:
  // memory.limit when the budget is spent; memory.exhausted when the machine has no more.
  static Result<Buffer> allocate(std::size_t size_bytes,
                                 const std::shared_ptr<MemoryBudget>& budget = nullptr);
  // Bytes that somebody else owns; `owner` is kept until the last copy is gone. Of a device's
  // memory: `ordinal` says which of several, and `ready`, which it keeps as well, what has to be
  // done before the bytes are there; null: they are.
  static Buffer adopt(void* data, std::size_t size_bytes, MemoryKind kind,
                      std::shared_ptr<const void> owner, int ordinal = 0,
                      std::shared_ptr<const Event> ready = nullptr);

  explicit operator bool() const { return rep_ != nullptr; }
  std::byte* data() const { return rep_ ? rep_->data : nullptr; }
  std::size_t size_bytes() const { return rep_ ? rep_->size_bytes : 0; }
  MemoryKind kind() const { return rep_ ? rep_->kind : MemoryKind::kHost; }
  bool is_on_host() const { return kind() != MemoryKind::kCuda; }
  int ordinal() const { return rep_ ? rep_->ordinal : 0; }
  const Event* ready() const;
  // True when no other handle shares the bytes, so that writing them harms nobody.
  bool is_unique() const { return rep_ && rep_->refs.load(std::memory_order_acquire) == 1; }

 private:
  // Lies in front of the bytes, in the same block, or alone in front of adopted ones.
  struct alignas(64) Rep {
    std::atomic<std::uint32_t> refs{1};
    MemoryKind kind = MemoryKind::kHost;
    bool adopted = false;
    bool waits = false;  // `owner` is a Pending
    std::int8_t ordinal = 0;
    std::byte* data = nullptr;
    std::size_t size_bytes = 0;
    std::shared_ptr<MemoryBudget> budget;
    std::shared_ptr<const void> owner;  // of adopted bytes
  };

  struct Pending;

  explicit Buffer(Rep* rep) : rep_(rep) {}
  void reset() {
    if (rep_ && is_last(rep_->refs)) give_back(rep_);
    rep_ = nullptr;
  }
  // Leaves the count. A sole owner needs no read-modify-write: nobody else can raise the count.
  static bool is_last(std::atomic<std::uint32_t>& refs) {
    return refs.load(std::memory_order_acquire) == 1 ||
           refs.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }
  static void give_back(Rep* rep);

  Rep* rep_ = nullptr;
};

}  // namespace sluice
