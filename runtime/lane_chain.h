#pragma once

#include "sluice/core/device_program.h"
#include "sluice/core/node.h"
#include "sluice/graphs/plan.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
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
  class Services;
  struct Member {
    Member();
    ~Member();

    PlanNode* plan = nullptr;
    Node* node = nullptr;
    // Of one of several nodes: `on_device` keeps what only the next node reads.
    std::unique_ptr<Services> own_on_device, own_on_cpu;
    NodeServices *on_device = nullptr, *on_cpu = nullptr;
    std::size_t first_output = 0;            // of the host's
    std::size_t passed_on_port = 0;          // what the next node reads
    std::size_t passed_on = 0;               // as the program gives it
    bool is_read_elsewhere = false;          // what is passed on
    std::vector<bool> stays;                 // by output of the program
    std::shared_ptr<DeviceProgram> program;  // of one lane, to ask for plans
    std::atomic<std::uint64_t> items{0}, rejected{0};
  };

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

}  // namespace sluice
