#pragma once

#include <memory>

#include "sluice/core/node.h"

namespace sluice {

// What a flow node sees of the engine. Threads: one thread at a time.
class FlowContext {
 public:
  explicit FlowContext(NodeServices& services) : services_(&services) {}
  virtual ~FlowContext() = default;

  template <class T>
  const typename Option<T>::Stored& option(const Option<T>& option) const {
    return std::get<typename Option<T>::Stored>(services_->options->values[option.index()]);
  }
  const Ports& ports() const { return *services_->ports; }
  Clock& clock() const { return services_->clock(); }
  Log log() const { return Log(services_->node_name); }
  const std::string& node_name() const { return services_->node_name; }

  // Sends a packet or a marker on. Each output gets exactly one for each sequence number of its scope.
  // Never blocks, never fails.
  virtual void send(std::size_t output, Packet packet) = 0;
  // Asks for on_timer at `when`; one timer at a time, a later call replaces it.
  virtual void set_timer(TimePoint when) = 0;

 protected:
  NodeServices* services_;
};

// A node that sees packets and markers themselves: gather, filter and their like, and nobody's ordinary
// node. It is serial, always accepts, and what it holds is bounded by the items that sources admitted.
class FlowNode {
 public:
  virtual ~FlowNode() = default;
  virtual Result<Ports> resolve(Resolve& plan) { return plan.declared(); }
  virtual Status open(FlowContext&) { return Status::ok(); }
  // A packet or marker of any kind but kEnd, which the engine handles after all inputs ended.
  virtual void on_packet(FlowContext& ctx, std::size_t input, Packet packet) = 0;
  virtual void on_timer(FlowContext&) {}
  // Nothing upstream is active: release what waits only for company.
  virtual void on_idle(FlowContext&) {}
  virtual void on_end(FlowContext&) {}
  virtual Status close(FlowContext&) { return Status::ok(); }
};

}  // namespace sluice
