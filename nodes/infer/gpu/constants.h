#pragma once

#include "sluice/core/device.h"
#include "sluice/core/status.h"
#include "sluice/core/tensor.h"
#include "sluice/nodes/infer/gpu/view.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace sluice::gpu {

// Constants of a model in a device's memory: each once for every form that an operator wants it in,
// however many plans and lanes read it. Threads: thread-safe. Lifetime: keeps its device alive.
class Constants {
 public:
  explicit Constants(std::shared_ptr<Device> device) : device_(std::move(device)) {}

  // The tensor as `form` lays it out: of its type and dims, which may be larger than the tensor's
  // and are zero beyond it. `name` says which tensor it is; an empty one is not remembered.
  // Errors: those of Device::allocate and Device::upload. Blocks: on the device.
  Result<Buffer> get(const std::string& name, const Tensor& tensor, const View& form);

 private:
  Result<Buffer> make(const Tensor& tensor, const View& form);

  const std::shared_ptr<Device> device_;
  std::mutex mutex_;
  std::map<std::string, Buffer> made_;
};

// Its elements as `form` has them, in its type. What no 16-bit float holds becomes the largest that
// it does, so that a mask stays one.
void lay_out(const Tensor& tensor, const View& form, std::byte* to);

}  // namespace sluice::gpu
