#pragma once

#include "sluice/core/cuda_abi.h"
#include "sluice/core/device.h"

#include <memory>
#include <string>

namespace sluice {

// `device: cuda:N`: a GPU behind the functions of its plugin, which are CUDA's streams and events
// and keep the promises of core/device.h by themselves. What has waited in vain for the device, or
// was told by it that nothing works any more, loses it: from then on every call fails with what was
// said first.
// Threads: thread-safe. Lifetime: streams, events and buffers may outlive it; the table may not go.
class CudaDevice final : public Device {
 public:
  CudaDevice(const sluice_cuda_api& api, int ordinal);
  ~CudaDevice() override;

  std::string name() const override;
  MemoryKind memory() const override { return MemoryKind::kCuda; }
  Result<Buffer> allocate(MemoryKind kind, std::size_t size_bytes,
                          const std::shared_ptr<MemoryBudget>& budget) override;
  Status upload(const BufferRange& to, const std::byte* from) override;
  Result<std::unique_ptr<Stream>> new_stream() override;
  Result<std::unique_ptr<Event>> new_event() override;
  Status upload(const BufferRange& to, const std::byte* from) override;
  const sluice_cuda_api* operators() const override;
  std::int32_t ordinal() const override;
  Status failure() const override;

 private:
  class Core;
  class CudaStream;
  class CudaEvent;
  struct Owner;
  const std::shared_ptr<Core> core_;
};

}  // namespace sluice
