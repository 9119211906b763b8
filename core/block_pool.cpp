#include "sluice/core/block_pool.h"

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
constexpr std::uint32_t kGivesPerLook = 1024;  // small blocks between two looks at the clock
constexpr std::size_t kAlignment = 64;
constexpr auto kIdleLimit = std::chrono::seconds(5);

constexpr std::size_t class_of(std::size_t size) {
  if (size <= kSmallestBlock) return 0;
  const unsigned log =
      static_cast<unsigned>(std::bit_width(size - 1)) - 1;  // 2^log < size <= 2^(log+1)
  const std::size_t step = (size - 1 - (std::size_t{1} << log)) >> (log - kStepsLog);
  return (static_cast<std::size_t>(log - kSmallestLog) << kStepsLog) + step + 1;
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
  struct List {
    Idle* first = nullptr;
    std::atomic<std::uint32_t> count{0};
    std::uint32_t most = 0;
  };
  std::array<List, kThreadClasses> lists{};
  std::atomic<std::uint64_t> reused{0};
  std::uint32_t gives = 0;

  ThreadCache() {
    for (std::size_t i = 0; i < kThreadClasses; ++i) lists[i].most = kept_blocks(i);
  }
};

// The library is loaded with the program, so its thread-local variables can be reached directly.
#define SLUICE_THREAD_LOCAL [[gnu::tls_model("initial-exec")]] constinit thread_local
SLUICE_THREAD_LOCAL ThreadCache* thread_cache = nullptr;
SLUICE_THREAD_LOCAL bool thread_gone = false;
#undef SLUICE_THREAD_LOCAL

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
    list.lowest = std::min(list.lowest, --list.count);
    reused_.fetch_add(1, std::memory_order_relaxed);
    return block;
  }

  void refill(ThreadCache& cache, std::size_t size_class) {
    ThreadCache::List& kept = cache.lists[size_class];
    List& list = lists_[size_class];
    const std::scoped_lock lock(list.mutex);
    std::uint32_t moved = 0;
    for (; moved < kept.most / 2 && list.first; ++moved) {
      Idle* block = list.first;
      list.first = block->next;
      block->next = kept.first;
      kept.first = block;
    }
    kept.count.store(kept.count.load(std::memory_order_relaxed) + moved, std::memory_order_relaxed);
    list.count -= moved;
    list.lowest = std::min(list.lowest, list.count);
  }

  void give(std::size_t size_class, Idle* first, Idle* last, std::size_t count) {
    List& list = lists_[size_class];
    const std::scoped_lock lock(list.mutex);
    last->next = list.first;
    list.first = first;
    list.count += count;
  }

  // Gives back what stood idle for the whole of the last interval, of every size. Called now and
  // then by whoever gives blocks; costs a look at the clock where it is not yet time.
  void sweep() {
    const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
    std::int64_t due = sweep_due_.load(std::memory_order_relaxed);
    if (now < due) return;
    const std::int64_t next = now + SteadyTime::duration(kIdleLimit).count();
    if (!sweep_due_.compare_exchange_strong(due, next, std::memory_order_relaxed)) return;
    const bool is_first = due == 0;
    for (std::size_t i = 0; i < kClasses; ++i) {
      std::size_t stale = 0;
      {
        const std::scoped_lock lock(lists_[i].mutex);
        stale = is_first ? 0 : lists_[i].lowest;
        lists_[i].lowest = lists_[i].count - stale;
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
    kept.count.store(kept.count.load(std::memory_order_relaxed) - blocks,
                     std::memory_order_relaxed);
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
    BlockPool::Stats stats{reused_.load(std::memory_order_relaxed),
                           allocated_.load(std::memory_order_relaxed), 0};
    for (std::size_t i = 0; i < kClasses; ++i) {
      const std::scoped_lock lock(lists_[i].mutex);
      stats.idle_bytes += lists_[i].count * block_bytes(i);
    }
    const std::scoped_lock lock(caches_mutex_);
    for (const ThreadCache* cache : caches_) {
      stats.reused += cache->reused.load(std::memory_order_relaxed);
      for (std::size_t i = 0; i < kThreadClasses; ++i) {
        stats.idle_bytes += cache->lists[i].count.load(std::memory_order_relaxed) * block_bytes(i);
      }
    }
    return stats;
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
    }
    reused_.fetch_add(cache->reused.load(std::memory_order_relaxed), std::memory_order_relaxed);
    delete cache;
  }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  struct alignas(64) List {
    std::mutex mutex;
    Idle* first = nullptr;
    std::size_t count = 0;
    std::size_t lowest = 0;  // blocks that nobody needed since the last sweep
  };

  void flush(ThreadCache& cache) {
    for (std::size_t i = 0; i < kThreadClasses; ++i) {
      const std::uint32_t count = cache.lists[i].count.load(std::memory_order_relaxed);
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
      list.lowest = std::min(list.lowest, list.count);
    }
    while (released) {
      Idle* block = released;
      released = block->next;
      ::operator delete (block, std::align_val_t{kAlignment});
    }
  }

  std::array<List, kClasses> lists_;
  std::atomic<std::int64_t> sweep_due_{0};  // of the steady clock; 0: never looked
  std::atomic<std::uint64_t> reused_{0};
  std::atomic<std::uint64_t> allocated_{0};
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

ThreadCache* cache_for(std::size_t size_class) {
  if (size_class >= kThreadClasses) return nullptr;
  return thread_cache ? thread_cache : make_cache();
}

Idle* take_slowly(std::size_t size_class, ThreadCache* cache) {
  SharedPool& pool = SharedPool::instance();
  if (!cache) {
    Idle* block = pool.take(size_class);
    return block ? block : pool.allocate(size_class);
  }
  pool.refill(*cache, size_class);
  ThreadCache::List& list = cache->lists[size_class];
  Idle* block = list.first;
  if (!block) return pool.allocate(size_class);
  list.first = block->next;
  list.count.store(list.count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  cache->reused.store(cache->reused.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return block;
}

}  // namespace

void* BlockPool::take(std::size_t size_bytes) {
  if (size_bytes > kLargestBlock) return nullptr;
  const std::size_t size_class = class_of(size_bytes);
  ThreadCache* cache = cache_for(size_class);
  if (!cache || !cache->lists[size_class].first) {
    Idle* block = take_slowly(size_class, cache);
    return block ? open_block(block, size_bytes) : nullptr;
  }
  ThreadCache::List& list = cache->lists[size_class];
  Idle* block = list.first;
  list.first = block->next;
  list.count.store(list.count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  cache->reused.store(cache->reused.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return open_block(block, size_bytes);
}

void BlockPool::give(void* block, std::size_t size_bytes) {
  const std::size_t size_class = class_of(size_bytes);
  Idle* idle = close_block(block, block_bytes(size_class));
  ThreadCache* cache = cache_for(size_class);
  if (!cache) {
    SharedPool::instance().give(size_class, idle, idle, 1);
    SharedPool::instance().sweep();
    return;
  }
  if (++cache->gives % kGivesPerLook == 0) SharedPool::instance().sweep();
  ThreadCache::List& list = cache->lists[size_class];
  idle->next = list.first;
  list.first = idle;
  const std::uint32_t count = list.count.load(std::memory_order_relaxed) + 1;
  list.count.store(count, std::memory_order_relaxed);
  if (count > list.most) SharedPool::instance().spill(*cache, size_class, list.most / 2);
}

BlockPool::Stats BlockPool::stats() { return SharedPool::instance().stats(); }

void BlockPool::trim() { SharedPool::instance().trim(); }

}  // namespace sluice
