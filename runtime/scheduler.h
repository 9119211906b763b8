#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace sluice {

// Something the pool runs. It must not throw and must not wait.
class Runnable {
 public:
  virtual ~Runnable() = default;
  virtual void run() = 0;
  // How long the next run() will take, about, as far as is known.
  virtual std::uint64_t expected_ns() const { return 0; }
};

// The work-stealing pool that all pipeline nodes of a run share: an oneTBB flow graph with one
// function_node per pipeline node, in an arena of its own.
//
// Work that is expected to be short stays on the thread that made it ready, so that a chain of
// cheap nodes runs on one core; longer work is offered to the others. Threads: thread-safe. Blocks:
// only wait_idle.
class Scheduler {
 public:
  // Work above this is worth moving to another core: about the cost of waking a thread there.
  static constexpr std::uint64_t kHeavyNs = 5'000;

  // `on_idle` is called, by the thread that ran the last of the work and by one at a time, whenever
  // nothing is left to run. It may submit.
  Scheduler(int threads, std::function<void()> on_idle);
  ~Scheduler();

  int threads() const { return threads_; }

  // Adds a pipeline node; gives its place in the flow graph. Before the first submit.
  std::size_t add_node();

  // Runs `work` soon. `work` lives until it has run.
  void submit(std::size_t node, Runnable& work);
  // Runs `work` after what else is waiting: for a node that has used up its turn.
  void resubmit(std::size_t node, Runnable& work);
  // Runs `work`, and what it makes ready and is short, on the calling thread, which is none of the
  // pool.
  void run_here(Runnable& work);
  // The calling thread is about to be busy for long: what it kept for itself is run now where it is
  // short, as that is done sooner than another thread would begin with it, and offered to others
  // where it is not. The nanoseconds that it took.
  std::uint64_t before_heavy();
  // Offers to others what the calling thread kept for itself and has grown since to more than that.
  void share_grown();

  // Work that runs elsewhere, on a thread of its own, counts as active between these.
  void begin_external() { begin_one(); }
  void end_external() { finish_one(); }

  // Until nothing is active and `on_idle` has returned. Blocks.
  void wait_idle();

 private:
  struct Graph;
  struct Kept;
  static Kept& kept();
  void share(std::size_t node, Runnable& work);
  void share_kept(Kept& kept);
  void execute(Runnable& work);
  void begin_one();
  void finish_one();

  const int threads_;
  const std::function<void()> on_idle_;
  std::unique_ptr<Graph> graph_;
  // What is submitted and has not returned yet, in the low half; all there ever was, in the high.
  alignas(64) std::atomic<std::uint64_t> active_{0};
};

}  // namespace sluice
