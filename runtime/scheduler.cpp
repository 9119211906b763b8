#include "sluice/runtime/scheduler.h"

#include <tbb/flow_graph.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <mutex>
#include <numeric>
#include <set>

#if defined(__SANITIZE_THREAD__)
#define SLUICE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLUICE_TSAN 1
#endif
#endif
#ifdef SLUICE_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace sluice {
namespace {

// oneTBB is not built with ThreadSanitizer, which therefore does not see that a task which was
// handed to it runs after all that was done before. These say so: what came before `hand_over` on
// one thread is seen after `take_over`, of the same address, on another.
#ifdef SLUICE_TSAN
void hand_over(const void* what) { __tsan_release(const_cast<void*>(what)); }
void take_over(const void* what) { __tsan_acquire(const_cast<void*>(what)); }
#else
void hand_over(const void*) {}
void take_over(const void*) {}
#endif

// oneTBB has one set of workers a process and deals them out among the arenas that want some, in
// proportion and rounded down: where there are more arenas than workers one may get none for as
// long as the others have work. So there are as many workers as make one for each scheduler, and
// at least as many as the largest one wants.
class Workers {
 public:
  explicit Workers(int threads) : place_(enter(threads)) {}
  ~Workers() { leave(place_); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

 private:
  using Wanted = std::multiset<int>;
  struct All {
    std::mutex mutex;
    Wanted wanted;  // of the schedulers that there are
    std::unique_ptr<tbb::global_control> control;
  };
  static All& all() {
    static All& all = *new All;  // schedulers may outlive static objects
    return all;
  }

  static Wanted::iterator enter(int threads) {
    All& all = Workers::all();
    const std::scoped_lock lock(all.mutex);
    const auto place = all.wanted.insert(threads);
    allow(all);
    return place;
  }
  static void leave(Wanted::iterator place) {
    All& all = Workers::all();
    const std::scoped_lock lock(all.mutex);
    all.wanted.erase(place);
    allow(all);
  }
  static void allow(All& all) {
    if (all.wanted.empty()) {
      all.control.reset();
      return;
    }
    const int sum = std::accumulate(all.wanted.begin(), all.wanted.end(), 0);
    const int least = *all.wanted.begin(), most = *all.wanted.rbegin();
    const int workers = std::max(most, (sum + least - 1) / least);
    // One more than there are to be: oneTBB counts the thread of the program that might join, and
    // none does. The lower of two limits holds, so the old one goes last.
    auto control = std::make_unique<tbb::global_control>(
        tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(workers) + 1);
    all.control = std::move(control);
  }

  const Wanted::iterator place_;
};

// Of Scheduler::active_.
constexpr std::uint64_t kBegun = std::uint64_t{1} << 32;
constexpr std::uint64_t running(std::uint64_t active) { return active & (kBegun - 1); }

}  // namespace

struct Scheduler::Graph {
  using Node = tbb::flow::function_node<Runnable*, tbb::flow::continue_msg>;

  explicit Graph(int threads) : workers(threads), arena(threads, 0) {
    arena.execute([this] { graph = std::make_unique<tbb::flow::graph>(); });
  }
  ~Graph() {
    arena.execute([this] { graph->wait_for_all(); });
    nodes.clear();
    graph.reset();
  }

  const Workers workers;
  tbb::task_arena arena;
  std::unique_ptr<tbb::flow::graph> graph;
  std::deque<Node> nodes;
};

// What a pool thread keeps for itself.
struct Scheduler::Kept {
  struct Entry {
    std::size_t node;
    Runnable* work;
  };
  Scheduler* owner = nullptr;  // set while the thread runs work of that scheduler
  std::size_t count = 0;
  std::array<Entry, 8> entries;

  // REQUIRES: there is one.
  Entry take_first() {
    const Entry first = entries[0];
    std::copy(entries.begin() + 1, entries.begin() + static_cast<std::ptrdiff_t>(count),
              entries.begin());
    --count;
    return first;
  }
};

Scheduler::Kept& Scheduler::kept() {
  thread_local Kept kept;
  return kept;
}

Scheduler::Scheduler(int threads, std::function<void()> on_idle)
    : threads_(std::max(1, threads)),
      on_idle_(std::move(on_idle)),
      graph_(std::make_unique<Graph>(threads_)) {}

Scheduler::~Scheduler() {
  wait_idle();
  graph_.reset();  // waits for the last task to leave; it may still touch this object
}

std::size_t Scheduler::add_node() {
  graph_->nodes.emplace_back(*graph_->graph, tbb::flow::unlimited, [this](Runnable* work) {
    take_over(work);
    execute(*work);
    return tbb::flow::continue_msg();
  });
  return graph_->nodes.size() - 1;
}

void Scheduler::submit(std::size_t node, Runnable& work) {
  begin_one();
  Kept& kept = Scheduler::kept();
  if (kept.owner == this && kept.count < kept.entries.size() && work.expected_ns() < kHeavyNs) {
    kept.entries[kept.count++] = {node, &work};
    return;
  }
  share(node, work);
}

void Scheduler::run_here(Runnable& work) {
  begin_one();
  execute(work);
}

void Scheduler::resubmit(std::size_t node, Runnable& work) {
  begin_one();
  // A task spawned by a pool thread is the next one that thread takes; one that is enqueued waits
  // behind the others, so that a node that always has input starves nobody.
  hand_over(&work);
  graph_->arena.enqueue([this, node, &work] {
    take_over(&work);
    share(node, work);
  });
}

void Scheduler::share(std::size_t node, Runnable& work) {
  hand_over(&work);
  graph_->nodes[node].try_put(&work);
}

std::uint64_t Scheduler::before_heavy() {
  Kept& kept = Scheduler::kept();
  if (kept.owner != this || kept.count == 0) return 0;
  const auto started = std::chrono::steady_clock::now();
  std::uint64_t left_ns = kHeavyNs;
  while (kept.count > 0) {
    const Kept::Entry entry = kept.take_first();
    const std::uint64_t expected_ns = entry.work->expected_ns();
    if (expected_ns == 0 || expected_ns > left_ns) {
      share(entry.node, *entry.work);
    } else {
      left_ns -= expected_ns;
      entry.work->run();
      finish_one();
    }
  }
  return static_cast<std::uint64_t>((std::chrono::steady_clock::now() - started) /
                                    std::chrono::nanoseconds(1));
}

void Scheduler::share_kept(Kept& kept) {
  while (kept.count > 0) {
    const Kept::Entry entry = kept.entries[--kept.count];
    share(entry.node, *entry.work);
  }
}

void Scheduler::share_grown() {
  Kept& kept = Scheduler::kept();
  if (kept.owner != this) return;
  std::size_t left = 0;
  for (std::size_t i = 0; i < kept.count; ++i) {
    const Kept::Entry entry = kept.entries[i];
    if (entry.work->expected_ns() >= kHeavyNs) {
      share(entry.node, *entry.work);
    } else {
      kept.entries[left++] = entry;
    }
  }
  kept.count = left;
}

void Scheduler::execute(Runnable& work) {
  Kept& kept = Scheduler::kept();
  Scheduler* const outer = std::exchange(kept.owner, this);
  work.run();
  finish_one();
  // What is kept runs here, oldest first; after a while the rest goes to the pool, so that others'
  // tasks have their turn.
  constexpr int kTurn = 256;
  for (int i = 0; i < kTurn && kept.count > 0; ++i) {
    const Kept::Entry entry = kept.take_first();
    if (entry.work->expected_ns() >= kHeavyNs) share_kept(kept);
    entry.work->run();
    finish_one();
  }
  share_kept(kept);
  kept.owner = outer;
}

void Scheduler::begin_one() { active_.fetch_add(kBegun + 1, std::memory_order_relaxed); }

void Scheduler::finish_one() {
  std::uint64_t seen = active_.load(std::memory_order_acquire);
  for (;;) {
    // The last one stays active while it tells so: who waits for idleness may then destroy what
    // `on_idle` looks at. Work that came meanwhile, even if it is over by now, changes the high
    // half.
    const bool last = running(seen) == 1;
    if (last) on_idle_();
    if (active_.compare_exchange_strong(seen, seen - 1, std::memory_order_acq_rel)) {
      if (last) active_.notify_all();
      return;
    }
  }
}

void Scheduler::wait_idle() {
  for (std::uint64_t seen = active_.load(std::memory_order_acquire); running(seen) != 0;
       seen = active_.load(std::memory_order_acquire)) {
    active_.wait(seen, std::memory_order_acquire);
  }
}

}  // namespace sluice
