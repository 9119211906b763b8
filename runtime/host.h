#pragma once

#include "sluice/core/allocations.h"
#include "sluice/core/node.h"
#include "sluice/graphs/plan.h"
#include "sluice/runtime/channel.h"
#include "sluice/runtime/node_stats.h"
#include "sluice/runtime/outbox.h"
#include "sluice/runtime/scheduler.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sluice {

class Engine;

// One node of the plan at work.
//
// A host is a task only while it has something to do. Whoever changes something it waits for (a
// packet came, room came, work was done, a timer went off) calls `wake`; the host then runs `step`
// until that has nothing more to do. A wake during a step makes it step once more, so none is lost.
// Threads: `wake` from any; `step` on one thread at a time.
class Host : public DirectReader, public Runnable, public NodeServices {
 public:
  Host(Engine& engine, PlanNode& node, std::size_t place, std::vector<std::vector<Channel*>> inputs,
       std::vector<std::vector<Channel*>> outputs);

  virtual Status open() = 0;
  // Called once every node is open.
  virtual void start() {}
  // The pool has nothing left to run: release what waits only for company.
  virtual void on_pool_idle() {}
  // The run ends early: end the node's own thread. What it began has been done afterwards.
  virtual void end_thread() {}
  // The run ends early: forget what is held. No step runs now or later.
  virtual void discard();
  // For a node that was opened and has not come to its end.
  virtual Status close() = 0;

  void wake();
  // From a thread of the program: what is cheap is done on it at once, rather than to wake another.
  void wake_and_help();
  void run() final;

  // DirectReader. A host that pairs, waits or batches takes nothing directly.
  std::size_t begin_direct(std::uint64_t /*budget_ns*/) override { return 0; }
  std::size_t accept(std::span<Packet> /*packets*/) override { return 0; }
  void end_direct() override {}

  std::uint64_t expected_ns() const override;

  const std::string& name() const { return plan_node_.name; }
  // Whether it is known what an item costs the thread that takes it here.
  virtual bool knows_cost() const { return true; }
  bool is_done() const { return done_.load(std::memory_order_acquire); }
  virtual NodeStats stats() const;
  // Of one of the nodes that it runs.
  virtual NodeStats stats_of(const PlanNode& /*node*/) const { return stats(); }
  // What the node is waiting for, for the stall report.
  virtual std::string waiting_for() const;

  // NodeServices
  const std::shared_ptr<MemoryBudget>& budget() override;
  Clock& clock() override;
  std::stop_token stop() override;
  void fail_run(Status status) override;

 protected:
  enum class Step {
    kAgain,    // there is more to do at once
    kWaiting,  // until somebody wakes the node
  };
  virtual Step step() = 0;
  // Puts the node where it will run: the pool, or a thread of its own.
  virtual void schedule(bool after_others);

  // Puts the node into the hands of the calling thread, as a step of its own does; false when it is
  // in another's. Between the two, a wake is kept for later.
  bool try_own() {
    int idle = kIdle;
    return state_.compare_exchange_strong(idle, kActive, std::memory_order_acq_rel);
  }
  void disown() {
    int active = kActive;
    if (!state_.compare_exchange_strong(active, kIdle, std::memory_order_acq_rel)) schedule(false);
  }

  // Wakes the readers of what the outbox has moved, and the writers that wait for room.
  void wake_readers();
  void wake_writers();
  // The node has come to its end: closes it, tells its readers, settles with the engine.
  void finish();
  // Rejects an item at this node, or at the one of that name that the host runs as well.
  void reject(TokenRef& token, Status status, const std::string* node = nullptr);

  Engine& engine_;
  PlanNode& plan_node_;
  std::vector<std::vector<Channel*>> inputs_;  // per input, per edge
  Outbox outbox_;
  std::size_t pool_place_;
  // Of a turn of a node that no reader ever holds back, however little they get to do.
  static constexpr std::uint64_t kTurnNs = 250'000;
  bool never_waits_ = false;  // it is such a node; set when it is made
  std::atomic<std::uint64_t> items_{0};
  std::atomic<std::uint64_t> rejected_{0};
  std::atomic<std::uint64_t> busy_ns_{0};
  std::atomic<std::uint64_t> blocked_{0};
  std::atomic<std::uint64_t> cost_ns_{0};  // of one item, smoothed; 0: not known yet

  void learn_cost(std::uint64_t ns, std::uint64_t items);
  // In a step, whose thread alone changes them.
  void count_items(std::uint64_t items) { add_plainly(items_, items); }
  void count_blocked();
  void count_room();  // what was blocked has been sent

  // What a measured run knows more. Null in any other.
  struct Measures {
    DurationCounter calls;
    std::atomic<std::uint64_t> blocked_ns{0};
    std::atomic<std::uint64_t> allocations{0};
    std::uint64_t blocked_since = 0;  // 0: it is not
  };
  const std::unique_ptr<Measures> measures_;
  // Times one call of the node's; nothing in a run that is not measured.
  class CallTime {
   public:
    explicit CallTime(Measures* measures)
        : measures_(measures),
          allocations_(measures ? allocations_of_this_thread() : 0),
          started_(measures ? now_ns() : 0) {}
    ~CallTime() {
      if (measures_ != nullptr) put_down();
    }
    CallTime(const CallTime&) = delete;
    CallTime& operator=(const CallTime&) = delete;

   private:
    void put_down() const;
    Measures* const measures_;
    const std::uint64_t allocations_;
    const std::uint64_t started_;
  };

  // Of a step: what it did in the meantime for other nodes, which is not to be counted as its own.
  std::uint64_t for_others_ns_ = 0;

  // Times what a step does for its items. Reading the clock costs more than a cheap item does, so
  // where items are known to be cheap only now and then a step is timed, and stands for the others.
  class StepTime {
   public:
    explicit StepTime(Host& host)
        : host_(host), is_timed_(host.wants_timing()), started_(is_timed_ ? now_ns() : 0) {
      host_.for_others_ns_ = 0;
    }
    void account(std::uint64_t items) const;

   private:
    Host& host_;
    const bool is_timed_;
    const std::uint64_t started_;
  };
  // Lends readers the thread of this step, as far as they and this node are cheap. An item that
  // costs so much that others are to have a part of it is announced at once instead.
  void begin_direct_readers();
  // How many items the node collects before it gives them on.
  static std::size_t burst_of(std::uint64_t cost_ns);
  static std::uint64_t now_ns();
  bool wants_timing() const;
  void count_untimed(std::uint64_t items);
  // What an item may cost in the nodes that one thread takes it through at a stretch.
  static constexpr std::uint64_t kDirectNs = 500;
  static constexpr std::uint64_t kNotifyEachNs =
      500;  // items dearer than this are announced one by one
  // What a burst takes about, at most: so long its first item waits for its last.
  static constexpr std::uint64_t kBurstNs = 10'000;

 private:
  static void add_plainly(std::atomic<std::uint64_t>& counter, std::uint64_t more) {
    counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }

  std::uint64_t untimed_steps_ = 0;
  std::uint64_t untimed_items_ = 0;
  enum State : int { kIdle, kActive, kSignalled };
  std::atomic<int> state_{kIdle};
  std::atomic<bool> done_{false};
};

}  // namespace sluice
