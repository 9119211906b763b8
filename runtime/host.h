#pragma once

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
class Host : public Runnable, public NodeServices {
 public:
  Host(Engine& engine, PlanNode& node, std::size_t place, std::vector<std::vector<Channel*>> inputs,
       std::vector<std::vector<Channel*>> outputs);

  virtual Status open() = 0;
  // Called once every node is open.
  virtual void start() {}
  // The pool has nothing left to run: release what waits only for company.
  virtual void on_pool_idle() {}
  // The run ends early: forget what is held. No step runs now or later.
  virtual void discard();
  // For a node that was opened and has not come to its end.
  virtual Status close() = 0;

  void wake();
  void run() final;
  std::uint64_t expected_ns() const override;

  const std::string& name() const { return plan_node_.name; }
  bool is_done() const { return done_.load(std::memory_order_acquire); }
  virtual NodeStats stats() const;
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

  // Wakes the readers of what the outbox has moved, and the writers that wait for room.
  void wake_readers();
  void wake_writers();
  // The node has come to its end: closes it, tells its readers, settles with the engine.
  void finish();
  // Rejects an item at this node.
  void reject(TokenRef& token, Status status);

  Engine& engine_;
  PlanNode& plan_node_;
  std::vector<std::vector<Channel*>> inputs_;  // per input, per edge
  Outbox outbox_;
  std::size_t pool_place_;
  std::atomic<std::uint64_t> items_{0};
  std::atomic<std::uint64_t> rejected_{0};
  std::atomic<std::uint64_t> busy_ns_{0};
  std::atomic<std::uint64_t> blocked_{0};
  std::atomic<std::uint64_t> cost_ns_{0};  // of one item, smoothed; 0: not known yet

  void learn_cost(std::uint64_t ns, std::uint64_t items);

 private:
  enum State : int { kIdle, kActive, kSignalled };
  std::atomic<int> state_{kIdle};
  std::atomic<bool> done_{false};
};

}  // namespace sluice
