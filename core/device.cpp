#include "sluice/core/device.h"

#include <cassert>
#include <cstring>

namespace sluice {
namespace {

class DoneEvent final : public Event {
 public:
  bool is_done() const override { return true; }
};

// Work is done before the call that queues it returns; a failure sticks, so that `notify` reports
// it.
class HostStream final : public Stream {
 public:
  Result<std::shared_ptr<Event>> record() override {
    static const auto done = std::make_shared<DoneEvent>();
    return std::shared_ptr<Event>(done);
  }

  Status wait(const Event& event) override {
    if (event.is_done()) return Status::ok();
    return unsupported("device.event", "the host's streams cannot wait for another device's event");
  }

  Status copy(const Buffer& from, std::size_t from_offset, Buffer& to, std::size_t to_offset,
              std::size_t size_bytes) override {
    if (from.kind() == MemoryKind::kCuda || to.kind() == MemoryKind::kCuda) {
      return unsupported("device.memory",
                         "the host cannot copy a GPU's memory; use that device's stream");
    }
    assert(from_offset + size_bytes <= from.size_bytes() &&
           to_offset + size_bytes <= to.size_bytes());
    if (size_bytes > 0) std::memmove(to.data() + to_offset, from.data() + from_offset, size_bytes);
    return Status::ok();
  }

  Status launch(std::function<Status()> work) override {
    Status status = work();
    if (failure_.is_ok()) failure_ = status;
    return status;
  }

  void notify(std::function<void(Status)> done) override { done(failure_); }

 private:
  Status failure_;
};

class HostDevice final : public Device {
 public:
  std::string name() const override { return "cpu"; }
  MemoryKind memory() const override { return MemoryKind::kHost; }
  Result<Buffer> allocate(std::size_t size_bytes,
                          const std::shared_ptr<MemoryBudget>& budget) override {
    return Buffer::allocate(size_bytes, budget);
  }
  Result<std::unique_ptr<Stream>> new_stream() override {
    return std::unique_ptr<Stream>(std::make_unique<HostStream>());
  }
};

}  // namespace

Device& host_device() {
  static HostDevice& device = *new HostDevice;
  return device;
}

}  // namespace sluice
