// The buffer pool beside the allocators one could use in its place, all in one process, by turns.
//
//   pool_bench case=pair|cross [size=4096] [threads=1]
//   pool_bench case=idle
//
// pair: allocate, touch, release, on each of `threads` threads; nanoseconds a pair. `touch` is the
// same with one block that is kept. cross: allocated on one thread, released on another. idle: the
// share of idle bytes that the pool still holds when they have not been used for five seconds.
#include "sluice/core/block_pool.h"
#include "sluice/core/buffer.h"

#include "tests/bench/engine/workload.h"

#include <dlfcn.h>
#include <time.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sluice::bench {
namespace {

constexpr int kRounds = 11;
constexpr std::size_t kPage = 4096;

struct Pool {
  using Block = Buffer;
  static Block allocate(std::size_t size) { return std::move(*Buffer::allocate(size)); }
  static void release(Block block) { block = Buffer(); }
  static std::byte* bytes(const Block& block) { return block.data(); }
};

// An allocator with the interface of malloc and free; `Tag` keeps their functions apart.
template <class Tag>
struct Plain {
  using Block = void*;
  static Block allocate(std::size_t size) { return allocate_function(size); }
  static void release(Block block) { release_function(block); }
  static std::byte* bytes(Block block) { return static_cast<std::byte*>(block); }

  inline static void* (*allocate_function)(std::size_t) = nullptr;
  inline static void (*release_function)(void*) = nullptr;
};
using Malloc = Plain<struct MallocTag>;
using Jemalloc = Plain<struct JemallocTag>;
using Mimalloc = Plain<struct MimallocTag>;
using TbbMalloc = Plain<struct TbbMallocTag>;

// The simplest pool there is: a list of blocks of one size behind a lock.
struct SharedList {
  using Block = void*;
  static Block allocate(std::size_t size) {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return std::aligned_alloc(64, size);
    void* const block = idle.back();
    idle.pop_back();
    return block;
  }
  static void release(Block block) {
    const std::lock_guard lock(mutex);
    idle.push_back(block);
  }
  static std::byte* bytes(Block block) { return static_cast<std::byte*>(block); }
  static void clear() {
    for (void* block : std::exchange(idle, {})) std::free(block);
  }

  inline static std::mutex mutex;
  inline static std::vector<void*> idle;
};

template <class Allocator>
void load(const char* library, const char* allocate, const char* release) {
  void* const handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    std::fprintf(stderr, "left out: %s\n", dlerror());
    return;
  }
  Allocator::allocate_function = reinterpret_cast<void* (*)(std::size_t)>(dlsym(handle, allocate));
  Allocator::release_function = reinterpret_cast<void (*)(void*)>(dlsym(handle, release));
}

void touch(std::byte* bytes, std::size_t size) {
  for (std::size_t at = 0; at < size; at += kPage) {
    bytes[at] = std::byte{1};
    asm volatile("" ::: "memory");
  }
}

// Runs `body` on so many threads at once; nanoseconds from the start of the first to the end of the
// last.
template <class Body>
double run_on(int threads, const Body& body) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::jthread> others;
  for (int i = 0; i < threads; ++i) {
    others.emplace_back([&] {
      ready.fetch_add(1);
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      body();
    });
  }
  while (ready.load() < threads) std::this_thread::yield();
  const std::int64_t started = now_ns();
  go.store(true, std::memory_order_release);
  others.clear();
  return static_cast<double>(now_ns() - started);
}

template <class Allocator>
double pair_ns(std::size_t size, int threads, int pairs) {
  return run_on(threads,
                [&] {
                  for (int i = 0; i < pairs; ++i) {
                    auto block = Allocator::allocate(size);
                    touch(Allocator::bytes(block), size);
                    Allocator::release(std::move(block));
                  }
                }) /
         pairs;
}

double touch_ns(std::size_t size, int threads, int pairs) {
  return run_on(threads,
                [&] {
                  Buffer kept = Pool::allocate(size);
                  for (int i = 0; i < pairs; ++i) touch(kept.data(), size);
                }) /
         pairs;
}

// From the thread that allocates to the one that releases.
template <class Block>
struct Ring {
  static constexpr std::size_t kSlots = 64;
  std::array<Block, kSlots> slots{};
  alignas(64) std::atomic<std::size_t> written{0};
  alignas(64) std::atomic<std::size_t> read{0};
};

template <class Allocator>
double cross_ns(std::size_t size, int blocks) {
  using Block = typename Allocator::Block;
  Ring<Block> ring;
  std::jthread releaser([&] {
    for (std::size_t i = 0; i < static_cast<std::size_t>(blocks); ++i) {
      while (ring.written.load(std::memory_order_acquire) == i) std::this_thread::yield();
      Allocator::release(std::move(ring.slots[i % ring.kSlots]));
      ring.read.store(i + 1, std::memory_order_release);
    }
  });
  const std::int64_t started = now_ns();
  for (std::size_t i = 0; i < static_cast<std::size_t>(blocks); ++i) {
    while (i - ring.read.load(std::memory_order_acquire) == ring.kSlots) std::this_thread::yield();
    auto block = Allocator::allocate(size);
    touch(Allocator::bytes(block), size);
    ring.slots[i % ring.kSlots] = std::move(block);
    ring.written.store(i + 1, std::memory_order_release);
  }
  releaser.join();
  return static_cast<double>(now_ns() - started) / blocks;
}

// A name and one way to measure for each contender; those whose library is not there are left out.
struct Contender {
  const char* name;
  double (*pair)(std::size_t, int, int);
  double (*cross)(std::size_t, int);
};

std::vector<Contender> contenders() {
  Malloc::allocate_function = std::malloc;
  Malloc::release_function = std::free;
  load<Jemalloc>("libjemalloc.so.2", "malloc", "free");
  load<Mimalloc>("libmimalloc.so.2", "mi_malloc", "mi_free");
  load<TbbMalloc>("libtbbmalloc.so.2", "scalable_malloc", "scalable_free");
  std::vector<Contender> all{{"pool", pair_ns<Pool>, cross_ns<Pool>},
                             {"malloc", pair_ns<Malloc>, cross_ns<Malloc>},
                             {"shared_list", pair_ns<SharedList>, cross_ns<SharedList>}};
  if (Jemalloc::allocate_function)
    all.push_back({"jemalloc", pair_ns<Jemalloc>, cross_ns<Jemalloc>});
  if (Mimalloc::allocate_function)
    all.push_back({"mimalloc", pair_ns<Mimalloc>, cross_ns<Mimalloc>});
  if (TbbMalloc::allocate_function)
    all.push_back({"tbbmalloc", pair_ns<TbbMalloc>, cross_ns<TbbMalloc>});
  return all;
}

int run_turns(const Arguments& arguments, bool cross) {
  const std::size_t size = arguments.count("size", 4096);
  const int threads = static_cast<int>(arguments.number("threads", 1));
  const int times = static_cast<int>(arguments.number("times", size > 100'000 ? 4'000 : 200'000));
  const std::vector<Contender> all = contenders();
  std::vector<std::vector<double>> rounds(all.size());
  std::vector<double> touching;
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      rounds[i].push_back(cross ? all[i].cross(size, times) : all[i].pair(size, threads, times));
    }
    touching.push_back(touch_ns(size, threads, times));
    SharedList::clear();  // blocks of one size only
  }
  std::vector<std::pair<std::string, double>> figures;
  for (std::size_t i = 0; i < all.size(); ++i)
    figures.emplace_back(all[i].name, percentile(rounds[i], 0.5));
  figures.emplace_back("touch", percentile(touching, 0.5));
  print_figures(figures);
  return 0;
}

int run_idle() {
  constexpr std::size_t kBlock = 600 * 1024;
  std::vector<Buffer> blocks;
  for (int i = 0; i < 64; ++i) blocks.push_back(Pool::allocate(kBlock));
  blocks.clear();
  const std::size_t before = BlockPool::stats().idle_bytes;
  const timespec past_five_seconds{5, 500'000'000};
  nanosleep(&past_five_seconds, nullptr);
  for (int i = 0; i < 20'000; ++i) Pool::release(Pool::allocate(kPage));
  const std::size_t after = BlockPool::stats().idle_bytes;
  print_figures({{"idle_share", static_cast<double>(after) / static_cast<double>(before)},
                 {"idle_bytes_before", static_cast<double>(before)},
                 {"idle_bytes_after", static_cast<double>(after)}});
  return 0;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  using namespace sluice::bench;
  const Arguments arguments(argc, argv);
  const std::string name = arguments.text("case", "pair");
  if (name == "pair" || name == "cross") return run_turns(arguments, name == "cross");
  if (name == "idle") return run_idle();
  std::fprintf(stderr, "unknown case `%s`\n", name.c_str());
  return 2;
}
