#include "sluice/core/device.h"

#include <cassert>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

class HostEvent final : public Event {
 public:
  Result<bool> is_done() override {
    if (!failure_.is_ok()) return failure_;
    return true;
  }
  void record(Status failure) { failure_ = std::move(failure); }

 private:
  Status failure_;
};

// Work is done before the call that queues it returns; a failure is kept for the next event.
class HostStream final : public Stream {
 public:
  Status record(Event& event) override {
    auto* const recorded = dynamic_cast<HostEvent*>(&event);
    if (recorded == nullptr) return foreign_event();
    recorded->record(std::exchange(failure_, Status::ok()));
    return Status::ok();
  }

  Status wait(const Event& event) override {
    return dynamic_cast<const HostEvent*>(&event) ? Status::ok() : foreign_event();
  }

  Status copy(const BufferRange& from, const BufferRange& to) override {
    if (from.buffer.kind() == MemoryKind::kCuda || to.buffer.kind() == MemoryKind::kCuda) {
      return unsupported("device.memory",
                         "the host cannot copy a GPU's memory; use that device's stream");
    }
    assert(from.size_bytes == to.size_bytes);
    assert(from.offset_bytes + from.size_bytes <= from.buffer.size_bytes());
    assert(to.offset_bytes + to.size_bytes <= to.buffer.size_bytes());
    if (from.size_bytes > 0) std::memmove(to.data(), from.data(), from.size_bytes);
    return Status::ok();
  }

  Status launch(const Kernel& kernel) override {
    Status status = kernel.run(nullptr);
    if (failure_.is_ok()) failure_ = status;
    return status;
  }

 private:
  static Status foreign_event() {
    return unsupported("device.event", "the host's streams know no other device's events");
  }

  Status failure_;
};

class HostDevice final : public Device {
 public:
  std::string name() const override { return "cpu"; }
  MemoryKind memory() const override { return MemoryKind::kHost; }
  Result<Buffer> allocate(MemoryKind kind, std::size_t size_bytes,
                          const std::shared_ptr<MemoryBudget>& budget) override {
    if (kind == MemoryKind::kCuda) {
      return unsupported("device.memory", "the host has no memory of a GPU's");
    }
    return Buffer::allocate(size_bytes, budget);
  }
  Result<std::unique_ptr<Stream>> new_stream() override {
    return std::unique_ptr<Stream>(std::make_unique<HostStream>());
  }
  Result<std::unique_ptr<Event>> new_event() override {
    return std::unique_ptr<Event>(std::make_unique<HostEvent>());
  }
  Status failure() const override { return Status::ok(); }
};

}  // namespace

Status Device::upload(const BufferRange& to, const std::byte* from) {
  on_host_access(to, Access::kWrite);
  if (to.size_bytes > 0) std::memcpy(to.data(), from, to.size_bytes);
  return Status::ok();
}

Device& host_device() {
  static HostDevice& device = *new HostDevice;
  return device;
}

}  // namespace sluice
