#pragma once

#include "sluice/runtime/host.h"
#include "sluice/runtime/lane_call.h"
#include "sluice/runtime/lanes/lane_set.h"
#include "sluice/runtime/pairing.h"
#include "sluice/runtime/worker_threads.h"

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace sluice {

// Hosts a node with process or process_batch: pairs its inputs, forms batches, runs calls side by
// side where the node allows it, and puts what comes out back in order.
//
// Cheap calls of a node that may run on the pool are made in the host's own step. The others go out
// as work: `window_` holds them in the order of their items until what they gave has been sent on.
// It is bounded, so a slow item holds back a bounded number of faster ones. Calls of a node that
// may wait run on its threads; those of a node with lanes begin and end on the pool, and what they
// run is the lanes' in between. Nodes with lanes that are fused have one host.
class ProcessHost final : public Host {
 public:
  // `node`: what the host is for the engine; `members`: the nodes that it runs, which is that one
  // alone unless several are fused.
  ProcessHost(Engine& engine, PlanNode& node, std::span<PlanNode* const> members, std::size_t place,
              std::vector<std::vector<Channel*>> inputs,
              std::vector<std::vector<Channel*>> outputs);
  ~ProcessHost() override;

  Status open() override;
  Status close() override;
  void end_thread() override;
  void on_pool_idle() override;
  void discard() override;
  NodeStats stats() const override;
  NodeStats stats_of(const PlanNode& node) const override;
  bool knows_cost() const override {
    return runs_elsewhere_ || cost_ns_.load(std::memory_order_relaxed) != 0;
  }
  std::size_t begin_direct(std::uint64_t budget_ns) override;
  std::size_t accept(std::span<Packet> packets) override;
  void end_direct() override;

 private:
  // Units in order; keeps the memory of those that are gone.
  class Units {
   public:
    Unit& add() {
      if (count_ == units_.size()) units_.emplace_back();
      return units_[count_++];
    }
    std::span<Unit> all() { return {units_.data(), count_}; }
    void clear() {
      for (Unit& unit : all()) unit.reset();
      count_ = 0;
    }

   private:
    std::vector<Unit> units_;
    std::size_t count_ = 0;
  };

  // One call's items on their way through the node.
  class Work final : public Runnable {
   public:
    explicit Work(ProcessHost& host) : host_(host) {}
    void run() override;
    std::uint64_t expected_ns() const override { return host_.lanes_ ? 0 : UINT64_MAX; }
    void clear();

    Units units;  // markers between the items included
    std::size_t item_count = 0;
    Units after;              // markers that came after it was handed out
    bool ends_group = false;  // one of its markers is a group's end
    std::size_t worker = 0;
    std::vector<Item> items;                       // while it runs, and until it is sent on
    std::vector<std::vector<Emission>> emissions;  // per item
    std::atomic<bool> done{false};
    bool handed_out = false;

   private:
    void run_on_lanes();
    void run_came_back(std::size_t run, Status status, std::span<Tensor> outputs);
    void one_back();
    void end();

    ProcessHost& host_;
    std::uint64_t started_ = 0;
    LaneCall lane_call_;
    std::atomic<std::size_t> away_{0};  // of those, not back yet
  };

  Step step() override;
  bool take_inputs();
  std::size_t take_burst();
  bool take_packet();
  bool take_pair();
  bool inputs_ended() const { return ended_edges_ == edge_count_; }
  void take_item(Packet& packet, std::span<PayloadRef> inputs);
  void take_marker(Packet& packet);
  bool runs_inline() const;
  Status call(Context& ctx);
  void process_inline(Packet& packet, std::span<PayloadRef> inputs);
  void process_burst(std::span<Packet> packets);
  void change_in_place(std::span<Packet> packets);
  Unit& add_to_work();
  bool can_take() const;
  void hand_out();
  void collect();
  void send_results(Work& work);
  void retire(std::unique_ptr<Work> work);
  std::unique_ptr<Work> new_work();
  void start_wait();
  void end_wait();
  void set_timer();
  void cancel_timer();
  Status open_lanes();
  Status make_lanes();
  void look_for_loss(const Status& status);

  // Makes of an item what its call has made of it: where the node changes packets in place the
  // packet is ready to be sent, else what was emitted is left to be.
  void complete(Packet& packet, Status status, std::vector<Emission>& emissions,
                const std::string* rejecting_node = nullptr);
  void refuse(TokenRef& token, Status status, const std::string* node);
  // Sends what an item, or a marker, has become.
  void send(Packet& packet, std::vector<Emission>& emissions);
  Status check_emissions(const std::vector<Emission>& emissions) const;
  void send_each(Packet& packet, std::vector<Emission>& emissions);
  // A marker, or what was changed in place.
  void pass_on(Packet& packet);
  // The children of `packet` on an output that opens a scope: what `emissions` has for it.
  void send_children(Packet& packet, std::size_t output, std::span<Emission> emissions);

  Node& node_;
  Pairing pairing_;
  const bool pairs_;
  std::size_t workers_;
  const ExecutionClass execution_;
  const bool runs_elsewhere_;     // than in a step: on threads of its own, or on lanes
  const std::size_t batch_max_;   // items a call gets at most
  const bool takes_batches_;      // the node, even of one
  const bool waits_for_company_;  // a batch that is not full waits for `batch.wait`
  const std::size_t window_max_;  // calls in the window at most
  std::size_t edge_count_ = 0;
  std::size_t ended_edges_ = 0;
  std::uint64_t inline_items_ = 0;         // of this step
  std::vector<std::size_t> read_outputs_;  // those that somebody reads
  // Has at most one such output, and it opens no scope: a packet becomes what goes out.
  bool changes_in_place_ = false;
  std::vector<Emission> emissions_;  // of the call that is made inline
  Unit pair_;                        // the one that is being taken

  std::unique_ptr<Work> forming_;              // a batch that is not handed out yet
  std::vector<std::unique_ptr<Work>> window_;  // in order
  std::vector<std::unique_ptr<Work>> spare_;
  std::vector<std::size_t> free_workers_;
  std::vector<std::uint64_t> next_child_;  // per output that opens a scope
  std::unique_ptr<WorkerThreads> threads_;
  std::unique_ptr<LaneChain> chain_;  // of nodes with lanes
  std::unique_ptr<LaneSet> lanes_;
  std::atomic<bool> has_left_device_{false};

  std::optional<Clock::TimerId> wait_timer_;
  TimePoint wait_until_{};  // of the batch that waits
  std::atomic<bool> timer_rang_{false};
  std::atomic<bool> withholds_{false};  // a batch waits for company
  std::atomic<bool> release_{false};    // and is to wait no longer
};

}  // namespace sluice
