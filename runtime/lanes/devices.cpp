#include "sluice/runtime/lanes/devices.h"

#include "sluice/runtime/lanes/cuda_device.h"
#include "sluice/runtime/lanes/sim_device.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace sluice {
namespace {

constexpr std::string_view kCuda = "cuda:";

// In a pipeline kernels take what they take to compute: nothing is added to that.
std::shared_ptr<Device> make_sim(const std::shared_ptr<Clock>& clock) {
  SimOptions options;
  options.thread = SimThread::kOwn;
  options.cost = [](const Kernel&) { return SimCost{Duration::zero(), 1.0}; };
  return std::make_shared<SimDevice>(clock, std::move(options));
}

}  // namespace

Result<std::shared_ptr<Device>> Devices::make(const std::string& name) const {
  if (name == "sim") return make_sim(clock_);
  const std::string_view number =
      std::string_view(name).substr(std::min(kCuda.size(), name.size()));
  int ordinal = 0;
  const auto read = std::from_chars(number.data(), number.data() + number.size(), ordinal);
  if (!name.starts_with(kCuda) || read.ec != std::errc() ||
      read.ptr != number.data() + number.size()) {
    return unsupported("device.unknown", "there is no device `" + name + "`");
  }
  const auto api = cuda_.api(ordinal);
  if (!api) return api.status();
  return std::shared_ptr<Device>(std::make_shared<CudaDevice>(**api, ordinal));
}

Result<Devices::Opened> Devices::open(const std::string& given) {
  const std::string name = given == "cuda" ? "cuda:0" : given;
  const std::scoped_lock lock(mutex_);
  if (const auto found = devices_.find(name); found != devices_.end()) return found->second.opened;
  Result<std::shared_ptr<Device>> device = make(name);
  if (!device) return device.status();
  Served served;
  served.opened.pool = std::make_shared<DevicePool>(*device);
  served.opened.device = std::move(*device);
  served.opened.poller = std::make_shared<CompletionPoller>(clock_);
  served.thread = std::make_unique<PollingThread>(served.opened.poller);
  return devices_.emplace(name, std::move(served)).first->second.opened;
}

}  // namespace sluice
