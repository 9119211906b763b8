#include "sluice/core/buffer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <mutex>
#include <new>
#include <string>
#include <vector>

namespace sluice {
namespace {

// Size classes: eight to a doubling, so that a block is at most an eighth larger than asked for.
constexpr std::size_t kSmallestBlock = 64;
constexpr unsigned kSmallestLog = 6;
constexpr unsigned kStepsLog = 3;
constexpr std::size_t kClasses = (47 - kSmallestLog) << kStepsLog;  // blocks up to 128 TiB
constexpr std::size_t kLargestBlock = std::size_t{1} << 46;
// What a thread keeps for itself: small blocks, a few of each size. Larger ones are worth a lock.
constexpr std::size_t kThreadBlockBytes = 64 << 10;
constexpr std::size_t kThreadClasses = (((16 - kSmallestLog) + 1) << kStepsLog) + 1;
constexpr std::uint32_t kThreadBlocks = 16;
constexpr auto kIdleLimit = std::chrono::seconds(5);

std::size_t class_of(std::size_t size) {
  if (size <= kSmallestBlock) return 0;
  const unsigned log =
      static_cast<unsigned>(std::bit_width(size - 1)) - 1;  // 2^log < size <= 2^(log+1)
  const std::size_t step = (size - 1 - (std::size_t{1} << log)) >> (log - kStepsLog);
  return (static_cast<std::size_t>(log - kSmallestLog) << kStepsLog) + step + 1;
}

std::size_t block_bytes(std::size_t size_class) {
  if (size_class == 0) return kSmallestBlock;
  const std::size_t log = kSmallestLog + ((size_class - 1) >> kStepsLog);
  const std::size_t step = ((size_class - 1) & ((1u << kStepsLog) - 1)) + 1;
  return (std::size_t{1} << log) + (step << (log - kStepsLog));
}

}  // namespace

bool MemoryBudget::try_charge(std::size_t bytes) {
  std::size_t used = used_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_ - used) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));

  std::size_t peak = peak_.load(std::memory_order_relaxed);
  while (used + bytes > peak &&
         !peak_.compare_exchange_weak(peak, used + bytes, std::memory_order_relaxed)) {
  }
  return true;
}

void MemoryBudget::release(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

// The idle blocks of the process. Each thread keeps a few small ones, found without a lock; what is
// beyond that, and every large one, is on a shared list of its size. Never destroyed: buffers may
// be released while static objects go. Threads: thread-safe.
class BufferPool {
 public:
  using Rep = Buffer::Rep;

  static BufferPool& instance() {
    static BufferPool& pool = *new BufferPool;
    return pool;
  }

  Rep* take(std::size_t size_class) {
    ThreadCache* cache = size_class < kThreadClasses ? ThreadCache::here() : nullptr;
    if (!cache) return take_shared(size_class);
    if (!cache->idle[size_class].first) refill(*cache, size_class);
    return cache->take(size_class);
  }

  void give(Rep* rep) {
    const std::size_t size_class = rep->size_class;
    ThreadCache* cache = size_class < kThreadClasses ? ThreadCache::here() : nullptr;
    if (!cache) {
      give_shared(rep, rep, 1);
      return;
    }
    cache->give(rep);
    if (cache->idle[size_class].count.load(std::memory_order_relaxed) > kThreadBlocks) {
      spill(*cache, size_class, kThreadBlocks / 2);
    }
  }

  Buffer::PoolStats stats() {
    Buffer::PoolStats stats{reused_.load(std::memory_order_relaxed),
                            allocated_.load(std::memory_order_relaxed), 0};
    for (std::size_t i = 0; i < kClasses; ++i) {
      const std::scoped_lock lock(shared_[i].mutex);
      stats.idle_bytes += shared_[i].count * block_bytes(i);
    }
    const std::scoped_lock lock(caches_mutex_);
    for (const ThreadCache* cache : caches_) {
      stats.reused += cache->reused.load(std::memory_order_relaxed);
      for (std::size_t i = 0; i < kThreadClasses; ++i) {
        stats.idle_bytes += cache->idle[i].count.load(std::memory_order_relaxed) * block_bytes(i);
      }
    }
    return stats;
  }

  void trim() {
    if (ThreadCache* cache = ThreadCache::here()) flush(*cache);
    for (std::size_t i = 0; i < kClasses; ++i) release_idle(i, SIZE_MAX);
  }

  Rep* allocate_block(std::size_t size_class) {
    const std::size_t bytes = sizeof(Rep) + block_bytes(size_class);
    void* memory = ::operator new (bytes, std::align_val_t{alignof(Rep)}, std::nothrow);
    if (!memory) {
      trim();  // what stands idle in other sizes may be what is missing
      memory = ::operator new (bytes, std::align_val_t{alignof(Rep)}, std::nothrow);
      if (!memory) return nullptr;
    }
    allocated_.fetch_add(1, std::memory_order_relaxed);
    Rep* rep = new (memory) Rep;
    rep->size_class = static_cast<std::uint16_t>(size_class);
    rep->data = static_cast<std::byte*>(memory) + sizeof(Rep);
    return rep;
  }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // Blocks that one thread keeps. The counters are written by that thread only and read by `stats`.
  struct ThreadCache {
    struct Idle {
      Rep* first = nullptr;
      std::atomic<std::uint32_t> count{0};
    };
    std::array<Idle, kThreadClasses> idle{};
    std::atomic<std::uint64_t> reused{0};

    // This thread's; null once its thread-local objects are being destroyed.
    static ThreadCache* here() {
      if (tls_cache) return tls_cache;
      return tls_gone ? nullptr : make();
    }
    static ThreadCache* make();

    Rep* take(std::size_t size_class) {
      Idle& list = idle[size_class];
      Rep* rep = list.first;
      if (!rep) return nullptr;
      list.first = rep->next_idle;
      list.count.store(list.count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
      reused.store(reused.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      return rep;
    }
    void give(Rep* rep) {
      Idle& list = idle[rep->size_class];
      rep->next_idle = list.first;
      list.first = rep;
      list.count.store(list.count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }

    static thread_local ThreadCache* tls_cache;
    static thread_local bool tls_gone;
  };

  // Gives a thread's blocks back when the thread ends.
  struct ThreadEnd {
    bool armed = false;
    ~ThreadEnd() {
      if (ThreadCache* cache = ThreadCache::tls_cache) instance().retire(cache);
      ThreadCache::tls_cache = nullptr;
      ThreadCache::tls_gone = true;
    }
  };

  struct alignas(64) Shared {
    std::mutex mutex;
    Rep* first = nullptr;
    std::size_t count = 0;
    std::size_t lowest = 0;  // blocks that nobody needed since `swept`
    SteadyTime swept{};
    std::uint32_t gives = 0;
  };

  Rep* take_shared(std::size_t size_class) {
    Shared& list = shared_[size_class];
    const std::scoped_lock lock(list.mutex);
    Rep* rep = list.first;
    if (!rep) return nullptr;
    list.first = rep->next_idle;
    list.lowest = std::min(list.lowest, --list.count);
    reused_.fetch_add(1, std::memory_order_relaxed);
    return rep;
  }

  void refill(ThreadCache& cache, std::size_t size_class) {
    Shared& list = shared_[size_class];
    const std::scoped_lock lock(list.mutex);
    for (std::uint32_t i = 0; i < kThreadBlocks / 2 && list.first; ++i) {
      Rep* rep = list.first;
      list.first = rep->next_idle;
      --list.count;
      cache.give(rep);
    }
    list.lowest = std::min(list.lowest, list.count);
  }

  void give_shared(Rep* first, Rep* last, std::size_t count) {
    Shared& list = shared_[first->size_class];
    const std::size_t size_class = first->size_class;
    std::size_t stale = 0;
    {
      const std::scoped_lock lock(list.mutex);
      last->next_idle = list.first;
      list.first = first;
      list.count += count;
      stale = sweep(list, block_bytes(size_class));
    }
    if (stale > 0) release_idle(size_class, stale);
  }

  // How many blocks of the list stood idle for the whole of the last interval. The clock is read
  // for every large block and for every 64th lot of small ones.
  static std::size_t sweep(Shared& list, std::size_t bytes) {
    if (bytes <= kThreadBlockBytes && ++list.gives % 64 != 0) return 0;
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now - list.swept < kIdleLimit) return 0;
    const std::size_t stale = list.swept == SteadyTime{} ? 0 : list.lowest;
    list.swept = now;
    list.lowest = list.count;
    return stale;
  }

  void spill(ThreadCache& cache, std::size_t size_class, std::uint32_t blocks) {
    ThreadCache::Idle& idle = cache.idle[size_class];
    Rep* first = idle.first;
    Rep* last = first;
    for (std::uint32_t i = 1; i < blocks; ++i) last = last->next_idle;
    idle.first = last->next_idle;
    idle.count.store(idle.count.load(std::memory_order_relaxed) - blocks,
                     std::memory_order_relaxed);
    give_shared(first, last, blocks);
  }

  void flush(ThreadCache& cache) {
    for (std::size_t i = 0; i < kThreadClasses; ++i) {
      const std::uint32_t count = cache.idle[i].count.load(std::memory_order_relaxed);
      if (count > 0) spill(cache, i, count);
    }
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

  void release_idle(std::size_t size_class, std::size_t blocks) {
    Shared& list = shared_[size_class];
    Rep* released = nullptr;
    {
      const std::scoped_lock lock(list.mutex);
      for (; blocks > 0 && list.first; --blocks) {
        Rep* rep = list.first;
        list.first = rep->next_idle;
        --list.count;
        rep->next_idle = released;
        released = rep;
      }
      list.lowest = std::min(list.lowest, list.count);
    }
    while (released) {
      Rep* rep = released;
      released = rep->next_idle;
      rep->~Rep();
      ::operator delete (rep, std::align_val_t{alignof(Rep)});
    }
  }

  std::array<Shared, kClasses> shared_;
  std::atomic<std::uint64_t> reused_{0};
  std::atomic<std::uint64_t> allocated_{0};
  std::mutex caches_mutex_;
  std::vector<ThreadCache*> caches_;
};

constinit thread_local BufferPool::ThreadCache* BufferPool::ThreadCache::tls_cache = nullptr;
constinit thread_local bool BufferPool::ThreadCache::tls_gone = false;

BufferPool::ThreadCache* BufferPool::ThreadCache::make() {
  static thread_local ThreadEnd end;
  end.armed = true;  // makes the compiler construct it, and so destroy it
  tls_cache = new ThreadCache;
  BufferPool& pool = instance();
  const std::scoped_lock lock(pool.caches_mutex_);
  pool.caches_.push_back(tls_cache);
  return tls_cache;
}

Result<Buffer> Buffer::allocate(std::size_t size_bytes,
                                const std::shared_ptr<MemoryBudget>& budget) {
  if (budget && !budget->try_charge(size_bytes)) {
    return Status(Code::kResourceExhausted, "memory.limit",
                  std::to_string(size_bytes) + " bytes wanted, " +
                      std::to_string(budget->limit_bytes() - budget->used_bytes()) + " of " +
                      std::to_string(budget->limit_bytes()) + " left");
  }

  Rep* rep = nullptr;
  if (size_bytes <= kLargestBlock) {
    BufferPool& pool = BufferPool::instance();
    const std::size_t size_class = class_of(size_bytes);
    rep = pool.take(size_class);
    if (!rep) rep = pool.allocate_block(size_class);
  }
  if (!rep) {
    if (budget) budget->release(size_bytes);
    return Status(Code::kResourceExhausted, "memory.exhausted",
                  "the machine has no " + std::to_string(size_bytes) + " bytes left");
  }
  rep->refs.store(1, std::memory_order_relaxed);
  rep->size_bytes = size_bytes;
  rep->budget = budget;
  return Buffer(rep);
}

Buffer Buffer::adopt(void* data, std::size_t size_bytes, MemoryKind kind,
                     std::shared_ptr<const void> owner) {
  Rep* rep = new Rep;
  rep->kind = kind;
  rep->data = static_cast<std::byte*>(data);
  rep->size_bytes = size_bytes;
  rep->owner = std::move(owner);
  rep->size_class = UINT16_MAX;
  return Buffer(rep);
}

void Buffer::give_back(Rep* rep) {
  if (rep->size_class == UINT16_MAX) {
    delete rep;
    return;
  }
  if (rep->budget) {
    rep->budget->release(rep->size_bytes);
    rep->budget.reset();
  }
  BufferPool::instance().give(rep);
}

Buffer::PoolStats Buffer::pool_stats() { return BufferPool::instance().stats(); }

void Buffer::trim_pool() { BufferPool::instance().trim(); }

}  // namespace sluice
