#include "tests/gpu/support/rig.h"

#include "sluice/core/clock.h"
#include "sluice/core/cuda_plugin.h"
#include "sluice/core/tensor.h"
#include "sluice/runtime/lanes/cuda_device.h"

#include "tests/nodes/infer/gpu/emulated_gpu.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace sluice::gpu_suite {
namespace {

constexpr double kLongestWaitS = 60;

Result<std::shared_ptr<Device>> find_device(const std::string& name) {
#ifdef SLUICE_EMULATED_CUDA
  if (name == "emulated") return testing::emulated_gpu();
#endif
  if (name != "cuda") return unsupported("device.unknown", "there is no device `" + name + "`");
  const Result<const sluice_cuda_api*> api = cuda_plugin().api(0);
  if (!api) return api.status();
  return std::shared_ptr<Device>(std::make_shared<CudaDevice>(**api, 0));
}

Result<Tensor> allocate_like(Device& device, MemoryKind kind, const Tensor& tensor) {
  Result<Buffer> buffer = device.allocate(kind, tensor.size_bytes(), nullptr);
  if (!buffer) return buffer.status();
  return Tensor(tensor.dtype(), tensor.shape(), std::move(*buffer));
}

}  // namespace

Result<Rig> open_rig(const std::string& name) {
  Result<std::shared_ptr<Device>> device = find_device(name);
  if (!device) return device.status();
  Rig rig;
  rig.device = std::move(*device);
  rig.poller = std::make_shared<CompletionPoller>(Clock::system());
  rig.thread = std::make_unique<PollingThread>(rig.poller);
  return rig;
}

Result<Queue> Queue::open(Device& device) {
  Queue queue;
  Result<std::unique_ptr<Stream>> stream = device.new_stream();
  if (!stream) return stream.status();
  Result<std::unique_ptr<Event>> event = device.new_event();
  if (!event) return event.status();
  queue.stream_ = std::move(*stream);
  queue.event_ = std::move(*event);
  return queue;
}

Status Queue::launch(const std::function<Status(CUstream_st* stream)>& run) {
  return stream_->launch({"suite", {}, {}, run});
}

Status Queue::wait() {
  if (Status status = stream_->record(*event_); !status.is_ok()) return status;
  const TimePoint begin = now();
  while (true) {
    const Result<bool> done = event_->is_done();
    if (!done) return done.status();
    if (*done) return Status::ok();
    if (seconds_since(begin) > kLongestWaitS) {
      return {Code::kDeadlineExceeded, "suite.hang", "the device's work does not end"};
    }
  }
}

Result<Tensor> to_device(Device& device, const Tensor& tensor) {
  Result<Tensor> copy = allocate_like(device, device.memory(), tensor);
  if (!copy) return copy;
  const Status status = device.upload({copy->buffer(), 0, tensor.size_bytes()}, tensor.raw());
  if (!status.is_ok()) return status;
  return copy;
}

Result<Tensor> to_pinned(Device& device, const Tensor& tensor) {
  Result<Tensor> copy = allocate_like(device, MemoryKind::kPinned, tensor);
  if (copy) std::memcpy(copy->raw(), tensor.raw(), tensor.size_bytes());
  return copy;
}

Result<Tensor> to_host(Device& device, Queue& queue, const Tensor& tensor) {
  Result<Tensor> copy = allocate_like(device, MemoryKind::kPinned, tensor);
  if (!copy) return copy;
  const auto offset = static_cast<std::size_t>(tensor.raw() - tensor.buffer().data());
  Status status = queue.stream().copy({tensor.buffer(), offset, tensor.size_bytes()},
                                      {copy->buffer(), 0, tensor.size_bytes()});
  if (status.is_ok()) status = queue.wait();
  if (!status.is_ok()) return status;
  return copy;
}

TimePoint now() { return Clock::system()->now(); }

double seconds_since(TimePoint begin) {
  return std::chrono::duration<double>(now() - begin).count();
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return std::nan("");
  const auto place = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[static_cast<std::size_t>(place)];
}

double median(std::vector<double> values) { return percentile(std::move(values), 0.5); }

}  // namespace sluice::gpu_suite
