#pragma once

#include "sluice/runtime/host.h"

#include <atomic>
#include <optional>

namespace sluice {

// Hosts a flow node: gives it packets and markers as they come, and sends on what it gives.
class FlowHost final : public Host {
 public:
  FlowHost(Engine& engine, PlanNode& node, std::size_t place,
           std::vector<std::vector<Channel*>> inputs, std::vector<std::vector<Channel*>> outputs);
  ~FlowHost() override;

  Status open() override;
  Status close() override;
  void on_pool_idle() override;
  void discard() override;

 private:
  class Gate final : public FlowContext {
   public:
    explicit Gate(FlowHost& host) : FlowContext(host), host_(host) {}
    void send(std::size_t output, Packet packet) override;
    void set_timer(TimePoint when) override;

   private:
    FlowHost& host_;
  };

  Step step() override;
  bool check(const Status& status);

  FlowNode& node_;
  Gate gate_;
  std::size_t edge_count_ = 0;
  std::size_t ended_edges_ = 0;
  bool ended_ = false;
  std::optional<Clock::TimerId> timer_;
  std::atomic<bool> timer_rang_{false};
  std::atomic<bool> fed_{false};   // since it was last told that the pool is idle
  std::atomic<bool> idle_{false};  // to be told
};

}  // namespace sluice
