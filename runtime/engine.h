#pragma once

#include "sluice/core/clock.h"
#include "sluice/graphs/plan.h"
#include "sluice/runtime/admission.h"
#include "sluice/runtime/channel.h"
#include "sluice/runtime/host.h"
#include "sluice/runtime/lanes/devices.h"
#include "sluice/runtime/ledger.h"
#include "sluice/runtime/scheduler.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

namespace sluice {

struct EngineOptions {
  int threads = 0;                     // of the pool; 0: one a core
  std::optional<std::uint64_t> limit;  // items of each source
  bool fail_fast = false;              // the first rejected item ends the run
  bool measure = false;                // see RunOptions
  std::shared_ptr<Clock> clock = Clock::system();
  Duration stall_after = std::chrono::seconds(30);  // no progress for so long is reported
};

// A plan at work: its hosts, the channels between them, the pool they share.
//
// Life: open, start, then stop_sources or abort at any time, and wait until it has finished.
// Threads: thread-safe but for open and start. Blocks: only wait.
class Engine final : public Token::Observer {
 public:
  Engine(Plan plan, EngineOptions options);
  ~Engine() override;

  // Opens every node; on an error those that were opened are closed again.
  Status open();
  bool is_open() const { return !hosts_.empty() && opened_ == hosts_.size(); }
  void start();
  // No new items; those on their way are finished.
  void stop_sources();
  // Ends the run as soon as the calls that are running have returned; items on their way stay
  // unfinished.
  void abort();
  // Until the run is at rest: every node has come to its end, or the run was ended early and what
  // was running has returned. False when `timeout` passed first.
  bool wait(std::optional<Duration> timeout);
  // Why the run ended early; ok when it did not. After wait.
  Status failure() const;
  bool was_aborted() const { return aborted_.load(std::memory_order_acquire); }

  const Plan& plan() const { return plan_; }
  const Ledger& ledger() const { return ledger_; }
  Clock& clock() { return *options_.clock; }
  const MemoryBudget& memory() const { return *budget_; }
  std::vector<NodeStats> stats() const;
  // Of the delivered items, when the run is measured.
  Durations end_to_end() const { return end_to_end_.so_far(); }
  // Items all sources will give, where every one of them knows.
  std::optional<std::uint64_t> total() const;

  // For hosts.
  Scheduler& scheduler() { return *scheduler_; }
  Devices& devices() { return devices_; }
  const EngineOptions& options() const { return options_; }
  const std::shared_ptr<MemoryBudget>& budget() const { return budget_; }
  std::stop_token stop_token() const { return abort_source_.get_token(); }
  std::stop_token source_stop_token() const { return sources_source_.get_token(); }
  // Whether every node that runs on the pool has shown what an item costs.
  bool knows_costs();
  bool sources_are_stopped() const { return sources_stopped_.load(std::memory_order_acquire); }
  void fail(Status status);
  void host_done();
  void settled(const Token& token) override;
  // Lets a source make up to `wanted` items; 0: it is woken when there is room. What it does not
  // make it gives back.
  std::int64_t let_in(std::size_t source, std::int64_t wanted);
  void give_back(std::size_t source, std::int64_t items);

 private:
  friend class SettleScope;
  void connect();
  std::unique_ptr<Host> new_host(std::span<const std::size_t> chain);
  void close_opened();  // of a run that was not started
  void delivered(std::size_t source, std::int64_t items, std::size_t largest_bytes);
  void wake_hosts();
  void wake_sources();
  void on_pool_idle();
  void bring_to_rest();
  void shut_down();
  void watch();
  void report_stall();

  Plan plan_;
  EngineOptions options_;
  std::shared_ptr<MemoryBudget> budget_;
  Admission admission_;
  std::stop_source sources_source_;
  std::atomic<bool> sources_stopped_{false};
  std::stop_source abort_source_;
  std::atomic<bool> aborted_{false};
  Ledger ledger_;
  std::unique_ptr<Scheduler> scheduler_;
  Devices devices_;
  std::vector<std::unique_ptr<Channel>> channels_;  // one an edge; none where nodes are fused
  std::vector<std::unique_ptr<PlanNode>> fused_;    // what hosts of several nodes are
  std::vector<std::unique_ptr<Host>> hosts_;        // one a node, or one for those that are fused
  std::vector<Host*> host_of_;                      // by node
  std::vector<Host*> sources_;
  DurationCounter end_to_end_;
  std::size_t opened_ = 0;
  std::atomic<bool> running_{false};
  std::atomic<bool> knows_costs_{false};

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable finished_changed_;
  std::size_t live_hosts_ = 0;
  bool ending_ = false;
  bool at_rest_ = true;  // until start
  Status failure_;
  Clock::TimerId watch_timer_ = 0;
  std::uint64_t watched_progress_ = 0;

  // Ends what is left of a run that was ended early, so that a program that waits for one item
  // hears of it, too.
  std::thread closer_;
};

// While it lives, deliveries on its thread are put down together: what they change is shared by all
// threads, and a burst of items is worth one visit. Scopes nest.
class SettleScope {
 public:
  explicit SettleScope(Engine& engine);
  ~SettleScope();
  SettleScope(const SettleScope&) = delete;
  SettleScope& operator=(const SettleScope&) = delete;

  // Of this thread; null when there is none, or it is another engine's.
  static SettleScope* of(const Engine& engine);

  void add(std::size_t source, std::size_t bytes) {
    if (source != source_) flush();
    source_ = source;
    ++items_;
    largest_ = std::max(largest_, bytes);
  }
  void flush() {
    if (items_ > 0) put_down();
  }

 private:
  void put_down();

  Engine& engine_;
  SettleScope* const outer_;
  std::size_t source_ = 0;  // of those that follow
  std::int64_t items_ = 0;
  std::size_t largest_ = 0;
};

}  // namespace sluice
