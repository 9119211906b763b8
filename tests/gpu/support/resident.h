#pragma once

#include "sluice/core/device_program.h"
#include "sluice/nodes/infer/gpu/gpu_model.h"

#include "tests/gpu/support/rig.h"

#include <memory>
#include <string>
#include <vector>

namespace sluice::gpu_suite {

// A program on one stream, with its inputs in the device's memory already: a model alone, without
// lanes. Threads: one at a time.
class Resident {
 public:
  static Result<Resident> open(Rig& rig, std::shared_ptr<DeviceProgram> program,
                               const std::vector<Tensor>& inputs);

  // Queues a run.
  Status run();
  Status wait() { return queue_.wait(); }
  Result<std::vector<Tensor>> outputs();
  std::size_t arena_bytes() const { return plan_.arena_bytes; }

  // Runs a second, counted from several rounds of about `round_s`: their median. Chooses and
  // records first.
  Result<double> runs_a_second(double round_s);
  // Of a run with nothing else queued, from the call to the answer: the median, in microseconds.
  Result<double> latency_us(int runs);
  // The same from `pinned`, the first input, to the outputs in pinned memory.
  Result<double> round_trip_us(const Tensor& pinned, int runs);

 private:
  Resident(Device& device, Queue queue) : device_(device), queue_(std::move(queue)) {}
  Result<double> timed(int runs);

  Device& device_;
  Queue queue_;
  std::shared_ptr<DeviceProgram> program_;
  DeviceProgram::Plan plan_;
  std::vector<Tensor> inputs_, outputs_;
  Buffer arena_;
};

// Copies from one kind of memory to another, bytes a second.
Result<double> copy_rate(Rig& rig, MemoryKind from, MemoryKind to, std::size_t size_bytes);

}  // namespace sluice::gpu_suite
