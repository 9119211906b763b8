#pragma once

#include "sluice/core/device.h"
#include "sluice/core/tensor.h"
#include "sluice/runtime/lanes/completion_poller.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sluice::gpu_suite {

// The device that a program measures, and what tells when its work is done.
struct Rig {
  std::shared_ptr<Device> device;
  std::shared_ptr<CompletionPoller> poller;
  std::unique_ptr<PollingThread> thread;  // gone first
};

// "cuda": the first GPU; "emulated": our kernels on the host, to try a program out.
// Errors: those of core/cuda_plugin.h.
Result<Rig> open_rig(const std::string& device);

// A stream, and an event to ask where its work is. Threads: one at a time.
class Queue {
 public:
  static Result<Queue> open(Device& device);

  Stream& stream() { return *stream_; }
  // Calls `run` with the stream.
  Status launch(const std::function<Status(CUstream_st* stream)>& run);
  // Asks, without a break, until all that was queued is done. Blocks: at most a minute.
  Status wait();

 private:
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Event> event_;
};

// The same bytes in memory of another kind. Blocks: until they are there.
Result<Tensor> to_device(Device& device, const Tensor& tensor);
Result<Tensor> to_pinned(Device& device, const Tensor& tensor);
Result<Tensor> to_host(Device& device, Queue& queue, const Tensor& tensor);

double seconds_since(TimePoint begin);
TimePoint now();
double median(std::vector<double> values);
double percentile(std::vector<double> values, double share);

}  // namespace sluice::gpu_suite
