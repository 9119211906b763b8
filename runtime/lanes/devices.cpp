#include "sluice/runtime/lanes/devices.h"

#include "sluice/runtime/lanes/sim_device.h"

#include <utility>

namespace sluice {
namespace {

// In a pipeline kernels take what they take to compute: nothing is added to that.
std::shared_ptr<Device> make_sim(const std::shared_ptr<Clock>& clock) {
  SimOptions options;
  options.thread = SimThread::kOwn;
  options.cost = [](const Kernel&) { return SimCost{Duration::zero(), 1.0}; };
  return std::make_shared<SimDevice>(clock, std::move(options));
}

}  // namespace

Result<Devices::Opened> Devices::open(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = devices_.find(name); found != devices_.end()) return found->second.opened;
  if (name != "sim") return unsupported("device.unknown", "there is no device `" + name + "`");
  Served served;
  served.opened = {make_sim(clock_), std::make_shared<CompletionPoller>(clock_)};
  served.thread = std::make_unique<PollingThread>(served.opened.poller);
  return devices_.emplace(name, std::move(served)).first->second.opened;
}

}  // namespace sluice
