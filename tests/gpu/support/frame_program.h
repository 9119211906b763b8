#pragma once

#include "sluice/core/cuda_abi.h"
#include "sluice/core/device_program.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace sluice::gpu_suite {

// A network for images that takes whole frames, u8 [N, H, W, 3]: scales them to its input and
// normalises them on the device, then runs it. Threads: as DeviceProgram says.
class FrameProgram final : public DeviceProgram {
 public:
  // `network` has one input, f32 [N, 3, size, size].
  static Result<std::shared_ptr<DeviceProgram>> create(Device& device,
                                                       std::shared_ptr<DeviceProgram> network,
                                                       std::int64_t size);
  ~FrameProgram() override;

  std::string_view name() const override { return "frames"; }
  Result<Plan> plan(std::span<const Tensor> inputs) override;
  Status run(const Run& run) override;

 private:
  struct Prepared;
  FrameProgram(Device& device, std::shared_ptr<DeviceProgram> network, std::int64_t size)
      : device_(device), network_(std::move(network)), size_(size) {}
  Result<sluice_cuda_compiled*> compiled(const Tensor& frames);

  Device& device_;
  const std::shared_ptr<DeviceProgram> network_;
  const std::int64_t size_;
  sluice_cuda_lane* lane_ = nullptr;
  std::map<std::int64_t, sluice_cuda_compiled*> compiled_;  // by batch; only `run` uses it
  std::mutex mutex_;
  std::map<std::int64_t, Plan> plans_;  // by batch
};

}  // namespace sluice::gpu_suite
