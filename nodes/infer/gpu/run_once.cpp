#include "sluice/nodes/infer/gpu/run_once.h"

#include <cstring>
#include <memory>
#include <thread>
#include <utility>

namespace sluice::gpu {
namespace {

// A tensor's bytes on both sides.
struct Transfer {
  BufferRange pinned, device;
};

class Once {
 public:
  Once(Device& device, DeviceProgram& program) : device_(device), program_(program) {}

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) {
    if (Status status = prepare(inputs); !status.is_ok()) return status;
    Status status = queue();
    // What was queued uses the memory, whether or not the rest could be.
    const Status end = wait();
    if (status.is_ok()) status = end;
    if (!status.is_ok()) return status;
    std::vector<Tensor> results;
    for (std::size_t i = 0; i < to_.size(); ++i) {
      Result<Tensor> result = Tensor::allocate(plan_.outputs[i].dtype, plan_.outputs[i].shape);
      if (!result) return result.status();
      device_.on_host_access(to_[i].pinned, Access::kRead);
      if (result->size_bytes() > 0) {
        std::memcpy(result->raw(), to_[i].pinned.data(), result->size_bytes());
      }
      results.push_back(std::move(*result));
    }
    return results;
  }

 private:
  Result<Transfer> allocate(std::size_t bytes) {
    Result<Buffer> pinned = device_.allocate(MemoryKind::kPinned, bytes, nullptr);
    if (!pinned) return pinned.status();
    Result<Buffer> there = device_.allocate(device_.memory(), bytes, nullptr);
    if (!there) return there.status();
    return Transfer{{*pinned, 0, bytes}, {*there, 0, bytes}};
  }

  Status prepare(std::span<const Tensor> inputs) {
    Result<DeviceProgram::Plan> plan = program_.plan(inputs);
    if (!plan) return plan.status();
    plan_ = std::move(*plan);
    for (const Tensor& input : inputs) {
      Result<Transfer> made = allocate(input.size_bytes());
      if (!made) return made.status();
      device_.on_host_access(made->pinned, Access::kWrite);
      if (input.size_bytes() > 0) {
        std::memcpy(made->pinned.data(), input.raw(), input.size_bytes());
      }
      inputs_.emplace_back(input.dtype(), input.shape(), made->device.buffer);
      from_.push_back(std::move(*made));
    }
    for (const TensorSpec& output : plan_.outputs) {
      Result<Transfer> made = allocate(output.size_bytes());
      if (!made) return made.status();
      outputs_.emplace_back(output.dtype, output.shape, made->device.buffer);
      to_.push_back(std::move(*made));
    }
    Result<Buffer> arena = device_.allocate(device_.memory(), plan_.arena_bytes, nullptr);
    if (!arena) return arena.status();
    arena_ = {*arena, 0, plan_.arena_bytes};
    Result<std::unique_ptr<Stream>> stream = device_.new_stream();
    if (!stream) return stream.status();
    stream_ = std::move(*stream);
    Result<std::unique_ptr<Event>> event = device_.new_event();
    if (!event) return event.status();
    done_ = std::move(*event);
    return Status::ok();
  }

  Status queue() {
    std::vector<BufferRange> reads, writes{arena_};
    for (const Transfer& from : from_) {
      reads.push_back(from.device);
      if (from.device.size_bytes == 0) continue;
      if (Status status = stream_->copy(from.pinned, from.device); !status.is_ok()) return status;
    }
    for (const Transfer& to : to_) writes.push_back(to.device);
    Status status =
        stream_->launch({program_.name(), reads, writes, [this](CUstream_st* stream) {
                           return program_.run({stream, inputs_, outputs_, arena_, plan_.prepared});
                         }});
    for (const Transfer& to : to_) {
      if (status.is_ok() && to.device.size_bytes > 0) status = stream_->copy(to.device, to.pinned);
    }
    return status;
  }

  Status wait() {
    if (Status status = stream_->record(*done_); !status.is_ok()) return status;
    for (;;) {
      const Result<bool> done = done_->is_done();
      if (!done) return done.status();
      if (*done) return Status::ok();
      std::this_thread::yield();
    }
  }

  Device& device_;
  DeviceProgram& program_;
  DeviceProgram::Plan plan_;
  std::vector<Transfer> from_, to_;
  std::vector<Tensor> inputs_, outputs_;  // on the device
  BufferRange arena_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Event> done_;
};

}  // namespace

Result<std::vector<Tensor>> run_once(Device& device, DeviceProgram& program,
                                     std::span<const Tensor> inputs) {
  return Once(device, program).run(inputs);
}

}  // namespace sluice::gpu
