#pragma once

#include "sluice/core/device.h"

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace sluice {

// Memory of a device for tensors that stay on it: blocks that are used again, as asking the device
// for some may make it wait. What is taken back is kept until the pool goes, or until the device
// has no other. Threads: thread-safe. Lifetime: blocks may outlive it.
class DevicePool : public std::enable_shared_from_this<DevicePool> {
 public:
  explicit DevicePool(std::shared_ptr<Device> device) : device_(std::move(device)) {}

  struct Taken {
    Buffer buffer;
    bool is_new = false;  // the device was asked
  };
  // A buffer of this size or more. It comes back with its last copy.
  // REQUIRES: all work that uses it is done by then, or the device is lost.
  // Errors: those of Device::allocate. Blocks: as that does, where none is left.
  Result<Taken> take(std::size_t size_bytes);

 private:
  struct Lease;
  void give_back(Buffer block);

  const std::shared_ptr<Device> device_;
  std::mutex mutex_;
  std::map<std::size_t, std::vector<Buffer>> free_;  // by size
};

}  // namespace sluice
