#include "sluice/runtime/lanes/cuda_device.h"

#include "sluice/core/cuda_ready.h"
#include "sluice/core/cuda_status.h"

#include <atomic>
#include <cassert>
#include <mutex>
#include <string_view>
#include <utility>

namespace sluice {

// The table, for one device, and what the device's loss was.
class CudaDevice::Core {
 public:
  Core(const sluice_cuda_api& api, int ordinal) : api_(api), ordinal_(ordinal) {}

  const sluice_cuda_api& api() const { return api_; }
  int ordinal() const { return ordinal_; }
  std::string name() const { return "cuda:" + std::to_string(ordinal_); }

  // Calls one function of the table; of a lost device, none.
  template <class... Parameters, class... Arguments>
  Status call(int (*function)(int32_t, Parameters...), Arguments... arguments) {
    if (Status lost = failure(); !lost.is_ok()) return lost;
    return noted(cuda_status(api_, function(ordinal_, arguments...)));
  }
  // For what gives something back, where nobody is left to be told of a failure. It is tried on a
  // lost device as well: the table knows best what can be freed still.
  template <class... Parameters, class... Arguments>
  void call_last(int (*function)(int32_t, Parameters...), Arguments... arguments) {
    static_cast<void>(noted(cuda_status(api_, function(ordinal_, arguments...))));
  }
  Result<bool> is_done(void* event) {
    if (Status lost = failure(); !lost.is_ok()) return lost;
    const int result = api_.event_query(ordinal_, event);
    if (result == SLUICE_CUDA_NOT_READY) return false;
    if (Status status = noted(cuda_status(api_, result)); !status.is_ok()) return status;
    return true;
  }

  // Remembers it if it says that the device is lost.
  Status noted(Status status) {
    if (status.reason() != "device.lost") return status;
    const std::scoped_lock lock(mutex_);
    if (failure_.is_ok()) failure_ = status.with_context(name());
    is_lost_.store(true, std::memory_order_release);
    return failure_;
  }
  Status failure() const {
    if (!is_lost_.load(std::memory_order_acquire)) return Status::ok();
    const std::scoped_lock lock(mutex_);
    return failure_;
  }

 private:
  const sluice_cuda_api& api_;
  const int ordinal_;
  std::atomic<bool> is_lost_{false};
  mutable std::mutex mutex_;
  Status failure_;
};

class CudaDevice::CudaEvent final : public Event {
 public:
  CudaEvent(std::shared_ptr<Core> core, void* event) : core_(std::move(core)), event_(event) {}
  ~CudaEvent() override { core_->call_last(core_->api().event_destroy, event_); }
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  Result<bool> is_done() override { return core_->is_done(event_); }
  // To wait for; null for one of another kind of device.
  static void* any(const Event& event, const std::shared_ptr<Core>& core) {
    const auto* const foreign = dynamic_cast<const CudaReady*>(&event);
    return foreign != nullptr ? foreign->handle() : of(event, core);
  }
  // Of the device `core` alone; null for one of another device.
  static void* of(const Event& event, const std::shared_ptr<Core>& core) {
    const auto* const of_cuda = dynamic_cast<const CudaEvent*>(&event);
    return of_cuda != nullptr && of_cuda->core_ == core ? of_cuda->event_ : nullptr;
  }

 private:
  const std::shared_ptr<Core> core_;
  void* const event_;
};

class CudaDevice::CudaStream final : public Stream {
 public:
  CudaStream(std::shared_ptr<Core> core, void* stream) : core_(std::move(core)), stream_(stream) {}
  ~CudaStream() override { core_->call_last(core_->api().stream_destroy, stream_); }
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  Status record(Event& event) override {
    void* const ours = CudaEvent::of(event, core_);
    return ours ? core_->call(core_->api().event_record, ours, stream_) : foreign_event();
  }

  Status wait(const Event& event) override {
    void* const other = CudaEvent::any(event, core_);
    return other ? core_->call(core_->api().stream_wait, stream_, other) : foreign_event();
  }

  Status copy(const BufferRange& from, const BufferRange& to) override {
    assert(from.size_bytes == to.size_bytes);
    assert(from.offset_bytes + from.size_bytes <= from.buffer.size_bytes());
    assert(to.offset_bytes + to.size_bytes <= to.buffer.size_bytes());
    if (from.buffer.kind() == MemoryKind::kHost || to.buffer.kind() == MemoryKind::kHost) {
      return unsupported("device.memory", "a copy takes pinned memory on the host's side");
    }
    if (from.size_bytes == 0) return core_->failure();
    return core_->call(core_->api().copy, stream_, static_cast<void*>(to.data()),
                       static_cast<const void*>(from.data()), from.size_bytes);
  }

  Status launch(const Kernel& kernel) override {
    if (Status lost = core_->failure(); !lost.is_ok()) return lost;
    return core_->noted(kernel.run(static_cast<CUstream_st*>(stream_)));
  }

 private:
  static Status foreign_event() {
    return unsupported("device.event", "a GPU's streams know no other device's events");
  }

  const std::shared_ptr<Core> core_;
  void* const stream_;
};

// Of a buffer's bytes: gives them back when the last copy of the buffer goes.
struct CudaDevice::Owner {
  Owner(std::shared_ptr<Core> of, bool pinned, void* bytes, std::size_t size,
        std::shared_ptr<MemoryBudget> payer)
      : core(std::move(of)),
        is_pinned(pinned),
        memory(bytes),
        size_bytes(size),
        budget(std::move(payer)) {}
  ~Owner() {
    core->call_last(core->api().release, is_pinned ? 1 : 0, memory);
    if (budget) budget->release(size_bytes);
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  std::shared_ptr<Core> core;
  bool is_pinned;
  void* memory;
  std::size_t size_bytes;
  std::shared_ptr<MemoryBudget> budget;
};

CudaDevice::CudaDevice(const sluice_cuda_api& api, int ordinal)
    : core_(std::make_shared<Core>(api, ordinal)) {}
CudaDevice::~CudaDevice() = default;

std::string CudaDevice::name() const { return core_->name(); }

Result<Buffer> CudaDevice::allocate(MemoryKind kind, std::size_t size_bytes,
                                    const std::shared_ptr<MemoryBudget>& budget) {
  if (kind == MemoryKind::kHost) return Buffer::allocate(size_bytes, budget);
  if (budget && !budget->try_charge(size_bytes)) {
    return Status(Code::kResourceExhausted, "memory.limit",
                  std::to_string(size_bytes) + " bytes wanted of the memory of " + name());
  }
  const bool is_pinned = kind == MemoryKind::kPinned;
  void* memory = nullptr;
  Status status = core_->call(core_->api().allocate, is_pinned ? 1 : 0, size_bytes, &memory);
  if (!status.is_ok()) {
    if (budget) budget->release(size_bytes);
    return status;
  }
  return Buffer::adopt(memory, size_bytes, kind,
                       std::make_shared<Owner>(core_, is_pinned, memory, size_bytes, budget),
                       core_->ordinal());
}

Status CudaDevice::upload(const BufferRange& to, const std::byte* from) {
  assert(to.offset_bytes + to.size_bytes <= to.buffer.size_bytes());
  if (to.size_bytes == 0) return core_->failure();
  return core_->call(core_->api().upload, static_cast<void*>(to.data()),
                     static_cast<const void*>(from), to.size_bytes);
}

Result<std::unique_ptr<Stream>> CudaDevice::new_stream() {
  void* stream = nullptr;
  Status status = core_->call(core_->api().stream_create, &stream);
  if (!status.is_ok()) return status;
  return std::unique_ptr<Stream>(std::make_unique<CudaStream>(core_, stream));
}

Result<std::unique_ptr<Event>> CudaDevice::new_event() {
  void* event = nullptr;
  Status status = core_->call(core_->api().event_create, &event);
  if (!status.is_ok()) return status;
  return std::unique_ptr<Event>(std::make_unique<CudaEvent>(core_, event));
}

const sluice_cuda_api* CudaDevice::operators() const { return &core_->api(); }
std::int32_t CudaDevice::ordinal() const { return core_->ordinal(); }
Status CudaDevice::failure() const { return core_->failure(); }

}  // namespace sluice
