#include "sluice/core/block_pool.h"

#include "sluice/core/idle_watch.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <mutex>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define SLUICE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLUICE_ASAN 1
#endif
#endif
#ifdef SLUICE_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace sluice {
namespace {

// Size classes: eight to a doubling.
constexpr std::size_t kSmallestBlock = 64;
constexpr unsigned kSmallestLog = 6;
constexpr unsigned kStepsLog = 3;
constexpr std::size_t kClasses = (47 - kSmallestLog) << kStepsLog;  // blocks up to 128 TiB
constexpr std::size_t kLargestBlock = std::size_t{1} << 46;
// What a thread keeps for itself: small blocks, some of each size. Larger ones are worth a lock.
constexpr unsigned kThreadBlockLog = 17;  // blocks up to 128 KiB
constexpr std::size_t kThreadClasses = ((kThreadBlockLog - kSmallestLog) << kStepsLog) + 1;
// Blocks of a size that a thread keeps: enough to hand them on in lots, never much memory.
constexpr std::size_t kThreadKeepBytes = 64 << 10;
constexpr std::uint32_t kThreadMostBlocks = 128;
constexpr std::uint32_t kThreadFewestBlocks = 16;
// And as long as it hands them on seldom: what one thread hoards, another has to allocate.
constexpr std::uint32_t kThreadFirstBlocks = 4;
constexpr std::uint64_t kGivesPerLook = 1024;  // small blocks between two looks at the clock
constexpr std::size_t kAlignment = 64;

// 2^log < size <= 2^(log+1) is where a size lies; the smallest block is the last of its doubling.
constexpr std::size_t class_of(std::size_t size) {
  const std::size_t last = std::max(size, kSmallestBlock) - 1;
  const auto log = static_cast<unsigned>(std::bit_width(last)) - 1;
  const std::size_t doubling = std::size_t{log} + 1 - kSmallestLog;
  return (doubling << kStepsLog) + (last >> (log - kStepsLog)) - ((2U << kStepsLog) - 1);
}

constexpr std::size_t block_bytes(std::size_t size_class) {
  if (size_class == 0) return kSmallestBlock;
  const std::size_t log = kSmallestLog + ((size_class - 1) >> kStepsLog);
  const std::size_t step = ((size_class - 1) & ((1u << kStepsLog) - 1)) + 1;
  return (std::size_t{1} << log) + (step << (log - kStepsLog));
}

constexpr std::uint32_t kept_blocks(std::size_t size_class) {
  return static_cast<std::uint32_t>(std::clamp<std::size_t>(
      kThreadKeepBytes / block_bytes(size_class), kThreadFewestBlocks, kThreadMostBlocks));
}

// The link of an idle block, at its start.
struct Idle {
  Idle* next;
};

#ifdef SLUICE_ASAN
// AddressSanitizer finds a use of an idle block, and one past the bytes that were asked for. The
// link lies in front of the block then: the leak check follows no pointer in poisoned memory.
constexpr std::size_t kLinkBytes = kAlignment;

void* open_block(Idle* idle, std::size_t size_bytes) {
  std::byte* block = reinterpret_cast<std::byte*>(idle) + kLinkBytes;
  ASAN_UNPOISON_MEMORY_REGION(block, size_bytes);
  return block;
}
Idle* close_block(void* block, std::size_t whole_bytes) {
  ASAN_POISON_MEMORY_REGION(block, whole_bytes);
  return new (static_cast<std::byte*>(block) - kLinkBytes) Idle{nullptr};
}
#else
constexpr std::size_t kLinkBytes = 0;

void* open_block(Idle* idle, std::size_t) { return idle; }
Idle* close_block(void* block, std::size_t) { return new (block) Idle{nullptr}; }
#endif

// Blocks that one thread keeps. The counters are written by that thread only and read by `stats`.
struct ThreadCache {
  // Of a counter that no other thread writes: no locked instruction.
  template <class T>
  static T add(std::atomic<T>& counter, T value) {
    const T sum = counter.load(std::memory_order_relaxed) + value;
    counter.store(sum, std::memory_order_relaxed);
    return sum;
  }

  struct List {
    Idle* first = nullptr;
    // How many more blocks it takes before it is full.
    std::atomic<std::uint32_t> room{kThreadFirstBlocks};
    std::atomic<std::uint32_t> most{kThreadFirstBlocks};
    IdleWatch::Time exchanged_at{0};  // with the shared list

    std::uint32_t count() const {
      return most.load(std::memory_order_relaxed) - room.load(std::memory_order_relaxed);
    }
    std::uint32_t lot() const { return most.load(std::memory_order_relaxed) / 2; }
    void add_blocks(std::uint32_t blocks) { add(room, 0U - blocks); }

    // Blocks go from thread to thread all the time where the clock has not moved on since the last
    // exchange: larger lots then, and so fewer locks.
    void exchanged(std::size_t size_class, IdleWatch::Time now) {
      if (now == exchanged_at) {
        const std::uint32_t more =
            std::min(most.load(std::memory_order_relaxed),
                     kept_blocks(size_class) - most.load(std::memory_order_relaxed));
        add(most, more);
        add(room, more);
      }
      exchanged_at = now;
    }
  };
  std::array<List, kThreadClasses> lists{};
  std::atomic<std::uint64_t> gives{0};

  // Null when it keeps none.
  Idle* pop(std::size_t size_class) {
    List& list = lists[size_class];
    Idle* block = list.first;
    if (!block) return nullptr;
    list.first = block->next;
    add(list.room, 1U);
    return block;
  }

  // False when the list is full with it.
  bool push(std::size_t size_class, Idle* block) {
    List& list = lists[size_class];
    block->next = list.first;
    list.first = block;
    return add(list.room, ~0U) != 0;
  }
};

// The library is loaded with the program, so its thread-local variables can be reached directly.
#define SLUICE_THREAD_LOCAL [[gnu::tls_model("initial-exec")]] constinit thread_local
SLUICE_THREAD_LOCAL ThreadCache* thread_cache = nullptr;
SLUICE_THREAD_LOCAL bool thread_gone = false;
#undef SLUICE_THREAD_LOCAL

// The clock that ticks some hundred times a second and costs next to nothing to read.
IdleWatch::Time coarse_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Never destroyed: blocks may come back while static objects go.
class SharedPool {
 public:
  static SharedPool& instance() {
    static SharedPool& pool = *new SharedPool;
    return pool;
  }

  Idle* take(std::size_t size_class) {
    List& list = lists_[size_class];
    const std::scoped_lock lock(list.mutex);
    Idle* block = list.first;
    if (!block) return nullptr;
    list.first = block->next;
    list.watch.use(--list.count, coarse_now());
    return block;
  }

  void refill(ThreadCache& cache, std::size_t size_class) {
    ThreadCache::List& kept = cache.lists[size_class];
    List& list = lists_[size_class];
    const std::scoped_lock lock(list.mutex);
    std::uint32_t moved = 0;
    for (; moved < kept.lot() && list.first; ++moved) {
      Idle* block = list.first;
      list.first = block->next;
      block->next = kept.first;
      kept.first = block;
    }
    const IdleWatch::Time now = coarse_now();
    kept.add_blocks(moved);
    if (moved > 0) kept.exchanged(size_class, now);
    list.count -= moved;
    list.watch.use(list.count, now);
  }

  void give(std::size_t size_class, Idle* first, Idle* last, std::size_t count) {
    List& list = lists_[size_class];
    const std::scoped_lock lock(list.mutex);
    last->next = list.first;
    list.first = first;
    list.count += count;
    list.watch.use(list.count, coarse_now());
  }

  void give_alone(std::size_t size_class, Idle* block) {
    give(size_class, block, block, 1);
    gives_.fetch_add(1, std::memory_order_relaxed);
    sweep();
  }

  // Gives back what stood idle for a while, of every size. Called now and then by whoever gives
  // blocks; costs a look at the clock where it is not yet time.
  void sweep() {
    const IdleWatch::Time now = coarse_now();
    std::int64_t due = sweep_due_.load(std::memory_order_relaxed);
    if (now.count() < due) return;
    const std::int64_t next = (now + IdleWatch::kLimit).count();
    if (!sweep_due_.compare_exchange_strong(due, next, std::memory_order_relaxed)) return;
    for (std::size_t i = 0; i < kClasses; ++i) {
      List& list = lists_[i];
      std::size_t stale = 0;
      {
        const std::scoped_lock lock(list.mutex);
        stale = list.watch.take_stale(list.count, now);
      }
      if (stale > 0) release(i, stale);
    }
  }

  void spill(ThreadCache& cache, std::size_t size_class, std::uint32_t blocks) {
    ThreadCache::List& kept = cache.lists[size_class];
    Idle* first = kept.first;
    Idle* last = first;
    for (std::uint32_t i = 1; i < blocks; ++i) last = last->next;
    kept.first = last->next;
    kept.add_blocks(0U - blocks);
    kept.exchanged(size_class, coarse_now());
    give(size_class, first, last, blocks);
  }

  Idle* allocate(std::size_t size_class) {
    const std::size_t bytes = kLinkBytes + block_bytes(size_class);
    void* block = ::operator new (bytes, std::align_val_t{kAlignment}, std::nothrow);
    if (!block) {
      trim();  // what stands idle in other sizes may be what is missing
      block = ::operator new (bytes, std::align_val_t{kAlignment}, std::nothrow);
      if (!block) return nullptr;
    }
    allocated_.fetch_add(1, std::memory_order_relaxed);
    return close_block(static_cast<std::byte*>(block) + kLinkBytes, block_bytes(size_class));
  }

  BlockPool::Stats stats() {
    std::size_t idle_blocks = 0;
    std::size_t idle_bytes = 0;
    const auto count = [&](std::size_t size_class, std::size_t blocks) {
      idle_blocks += blocks;
      idle_bytes += blocks * block_bytes(size_class);
    };
    for (std::size_t i = 0; i < kClasses; ++i) {
      const std::scoped_lock lock(lists_[i].mutex);
      count(i, lists_[i].count);
    }
    const std::scoped_lock lock(caches_mutex_);
    std::uint64_t gives = gives_.load(std::memory_order_relaxed);
    for (const ThreadCache* cache : caches_) {
      gives += cache->gives.load(std::memory_order_relaxed);
      for (std::size_t i = 0; i < kThreadClasses; ++i) count(i, cache->lists[i].count());
    }
    // What came back and is neither here nor with the system has been handed out again. Others may
    // be at work between the reads.
    const std::uint64_t still = idle_blocks + released_.load(std::memory_order_relaxed);
    return {gives > still ? gives - still : 0, allocated_.load(std::memory_order_relaxed),
            idle_bytes};
  }

  void trim() {
    if (thread_cache) flush(*thread_cache);
    for (std::size_t i = 0; i < kClasses; ++i) release(i, SIZE_MAX);
  }

  void enrol(ThreadCache* cache) {
    const std::scoped_lock lock(caches_mutex_);
    caches_.push_back(cache);
  }

  void retire(ThreadCache* cache) {
    flush(*cache);
    {
      const std::scoped_lock lock(caches_mutex_);
      std::erase(caches_, cache);
      gives_.fetch_add(cache->gives.load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    delete cache;
  }

 private:
  struct alignas(64) List {
    std::mutex mutex;
    Idle* first = nullptr;
    std::size_t count = 0;
    IdleWatch watch;
  };

  void flush(ThreadCache& cache) {
    for (std::size_t i = 0; i < kThreadClasses; ++i) {
      const std::uint32_t count = cache.lists[i].count();
      if (count > 0) spill(cache, i, count);
    }
  }

  void release(std::size_t size_class, std::size_t blocks) {
    List& list = lists_[size_class];
    Idle* released = nullptr;
    {
      const std::scoped_lock lock(list.mutex);
      for (; blocks > 0 && list.first; --blocks) {
        Idle* block = list.first;
        list.first = block->next;
        --list.count;
        block->next = released;
        released = block;
      }
    }
    while (released) {
      Idle* block = released;
      released = block->next;
      ::operator delete (block, std::align_val_t{kAlignment});
      released_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  std::array<List, kClasses> lists_;
  std::atomic<std::int64_t> sweep_due_{0};  // of the coarse clock
  std::atomic<std::uint64_t> gives_{0};  // blocks that came back, but for those of living threads
  std::atomic<std::uint64_t> allocated_{0};
  std::atomic<std::uint64_t> released_{0};  // to the system
  std::mutex caches_mutex_;
  std::vector<ThreadCache*> caches_;
};

// Gives a thread's blocks back when the thread ends.
struct ThreadEnd {
  bool armed = false;
  ~ThreadEnd() {
    if (thread_cache) SharedPool::instance().retire(thread_cache);
    thread_cache = nullptr;
    thread_gone = true;
  }
};

// This thread's; null once its thread-local objects are being destroyed.
ThreadCache* make_cache() {
  if (thread_gone) return nullptr;
  static thread_local ThreadEnd end;
  end.armed = true;  // makes the compiler construct it, and so destroy it
  thread_cache = new ThreadCache;
  SharedPool::instance().enrol(thread_cache);
  return thread_cache;
}

[[gnu::noinline]] Idle* take_slowly(std::size_t size_class) {
  if (size_class > class_of(kLargestBlock)) return nullptr;
  SharedPool& pool = SharedPool::instance();
  ThreadCache* cache = nullptr;
  if (size_class < kThreadClasses) cache = thread_cache ? thread_cache : make_cache();
  Idle* block = nullptr;
  if (cache) {
    pool.refill(*cache, size_class);
    block = cache->pop(size_class);
  } else {
    block = pool.take(size_class);
  }
  return block ? block : pool.allocate(size_class);
}

[[gnu::noinline]] void spill_half(ThreadCache& cache, std::size_t size_class) {
  SharedPool::instance().spill(cache, size_class, cache.lists[size_class].lot());
}
[[gnu::noinline]] void give_slowly(std::size_t size_class, Idle* idle) {
  ThreadCache* cache = size_class < kThreadClasses ? make_cache() : nullptr;
  if (!cache) return SharedPool::instance().give_alone(size_class, idle);
  ThreadCache::add(cache->gives, std::uint64_t{1});
  if (!cache->push(size_class, idle)) spill_half(*cache, size_class);
}
[[gnu::noinline]] void sweep() { SharedPool::instance().sweep(); }

}  // namespace

void* BlockPool::take(std::size_t size_bytes) {
  const std::size_t size_class = class_of(size_bytes);
  ThreadCache* cache = thread_cache;
  Idle* block = cache && size_class < kThreadClasses ? cache->pop(size_class) : nullptr;
  if (!block) block = take_slowly(size_class);
  return block ? open_block(block, size_bytes) : nullptr;
}

void BlockPool::give(void* block, std::size_t size_bytes) {
  const std::size_t size_class = class_of(size_bytes);
  Idle* idle = close_block(block, block_bytes(size_class));
  ThreadCache* cache = thread_cache;
  if (!cache || size_class >= kThreadClasses) return give_slowly(size_class, idle);
  if (!cache->push(size_class, idle)) spill_half(*cache, size_class);
  if (ThreadCache::add(cache->gives, std::uint64_t{1}) % kGivesPerLook == 0) sweep();
}

BlockPool::Stats BlockPool::stats() { return SharedPool::instance().stats(); }

void BlockPool::trim() { SharedPool::instance().trim(); }

}  // namespace sluice
