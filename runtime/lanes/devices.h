#pragma once

#include "sluice/core/clock.h"
#include "sluice/core/cuda_plugin.h"
#include "sluice/core/device.h"
#include "sluice/runtime/lanes/completion_poller.h"
#include "sluice/runtime/lanes/device_pool.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace sluice {

// The devices that the nodes of a run have lanes on, each with its poller and polling thread; made
// when the first node asks. Threads: thread-safe. Lifetime: outlives the lanes.
class Devices {
 public:
  // `cuda` leads to the GPUs; it outlives the devices.
  explicit Devices(std::shared_ptr<Clock> clock, const CudaPlugin& cuda = cuda_plugin())
      : clock_(std::move(clock)), cuda_(cuda) {}

  struct Opened {
    std::shared_ptr<Device> device;
    std::shared_ptr<CompletionPoller> poller;
    std::shared_ptr<DevicePool> pool;
  };
  // By its name in a plan: "sim", "cuda:0"; "cuda" is the first GPU. Errors: device.unknown; those
  // of the device.
  Result<Opened> open(const std::string& given);

 private:
  Result<std::shared_ptr<Device>> make(const std::string& name) const;

  struct Served {
    Opened opened;
    std::unique_ptr<PollingThread> thread;
  };

  const std::shared_ptr<Clock> clock_;
  const CudaPlugin& cuda_;
  std::mutex mutex_;
  std::map<std::string, Served> devices_;
};

}  // namespace sluice
