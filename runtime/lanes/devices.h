#pragma once

#include "sluice/core/clock.h"
#include "sluice/core/device.h"
#include "sluice/runtime/lanes/completion_poller.h"

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
  explicit Devices(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}

  struct Opened {
    std::shared_ptr<Device> device;
    std::shared_ptr<CompletionPoller> poller;
  };
  // By its name in YAML. Errors: device.unknown; those of the device.
  Result<Opened> open(const std::string& name);

 private:
  struct Served {
    Opened opened;
    std::unique_ptr<PollingThread> thread;
  };

  const std::shared_ptr<Clock> clock_;
  std::mutex mutex_;
  std::map<std::string, Served> devices_;
};

}  // namespace sluice
