#pragma once

#include "sluice/core/node.h"
#include "sluice/graphs/plan.h"
#include "sluice/runtime/lanes/lane_set.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

// The nodes that a host with lanes runs: one, or several that the plan has fused, each of which
// reads the one before. Items enter at the first. What they are made of goes to the device once,
// put together with that of others; there the programs run one after the other as one piece of
// work; and what came of it is given to each node to emit.
// Threads: calls side by side, each with a worker of its own; open and close alone.
class LaneChain {
 public:
  // `nodes` outlive it, as does the host.
  LaneChain(NodeServices& host, std::span<PlanNode* const> nodes);
  ~LaneChain();

  // What the host is to be for all of them: named after all, with the inputs of the first and the
  // outputs of each in turn. REQUIRES: two nodes or more.
  static PlanNode fused(const Plan& plan, std::span<PlanNode* const> nodes);

  // Of all nodes; on an error those that were opened are closed again.
  Status open(std::size_t workers);
  Status close();
  Result<std::vector<std::shared_ptr<DeviceProgram>>> programs(Device& device, std::size_t lanes);
  // Of a chain whose device is lost: on the CPU, one node after the other. Leaves each item its
  // status.
  void process_batch(std::size_t worker, std::span<Item> items);

  // What one of several nodes has seen and rejected.
  struct Counts {
    std::uint64_t items;
    std::uint64_t rejected;
  };
  Counts counts(const PlanNode& node) const;
  bool is_fused() const { return members_.size() > 1; }
  // The node that the time of all is counted for.
  const PlanNode& main_node() const;

 private:
  friend class LaneCall;
  struct Member;
  class Services;

  void reject(Member& member, Item& item, Status status) const;
  void reject_at(std::size_t member, Item& item, Status status) const;
  void move_emissions(const Member& member, std::vector<Emission>& from, Item& to) const;
  void process_on_cpu(Member& member, std::size_t worker, std::span<Item> items);

  NodeServices& host_;
  std::vector<std::unique_ptr<Member>> members_;
  std::size_t main_ = 0;  // of them
  Stacking stacking_;
  // The first node takes any number of items, and each on its own: what it makes of them is put
  // together for the others.
  bool gathers_ = false;
  bool keeps_ = false;  // something on the device
};

// One run of a chain's program, for some of a call's items.
struct LaneRun {
  // Items that are alike in what goes in.
  struct Part {
    std::size_t end_row = 0;
    std::vector<Shape> inputs;  // of one of them
  };
  LaneWork work;
  std::vector<std::size_t> items;  // by row
  std::vector<Part> parts;
  // Of a chain of several, by node: how many outputs its program has, and the shape that one item's
  // passed on output has.
  std::vector<std::size_t> output_counts;
  std::vector<Shape> passed_on;
  // What came of it.
  Status status;
  std::vector<Tensor> outputs;
};

// The items of one call on their way over the lanes. Threads: one at a time. Lifetime: its memory
// is used again for the next call.
class LaneCall {
 public:
  // Puts the items together to runs. One that is rejected already has its status.
  std::span<LaneRun> begin(LaneChain& chain, std::size_t worker, std::span<Item> items);
  // Gives each item what its run has come to, and its status.
  void end(LaneChain& chain, std::size_t worker, std::span<Item> items);
  std::span<LaneRun> runs() { return runs_; }
  void clear();

 private:
  void take_inputs(LaneChain& chain, std::size_t worker, std::span<Item> items);
  void take_group(const LaneChain& chain);
  const Shape* shape_passed_on(const LaneChain& chain, std::size_t item);
  Status put_together(LaneRun& run, std::int64_t batch, Item& payer);
  Status put_together(LaneRun& run, std::span<const std::size_t> alike, std::int64_t rows,
                      Item& payer);
  bool check(LaneChain& chain, std::size_t worker, std::span<Item> items, LaneRun& run);
  static std::vector<bool> stays(const LaneChain& chain, const LaneRun& run);
  void give(LaneChain& chain, std::size_t worker, Item& item, const LaneRun& run, std::int64_t row);

  std::vector<std::vector<Tensor>> inputs_;  // by item
  std::vector<std::size_t> order_, group_;   // items
  // What the first node passes on for an input of that shape; nothing where such items cannot be
  // put together with others.
  std::vector<std::pair<Shape, std::optional<Shape>>> passed_on_;
  std::vector<LaneRun> runs_;
  std::vector<Tensor> rows_;
  std::vector<Emission> emissions_;  // of one node for one item
};

}  // namespace sluice
