#include "tests/gpu/support/resident.h"

#include <algorithm>
#include <utility>

namespace sluice::gpu_suite {
namespace {

constexpr int kWarmUp = 4;  // the second run is recorded
constexpr int kRounds = 5;

}  // namespace

Result<Resident> Resident::open(Rig& rig, std::shared_ptr<DeviceProgram> program,
                                const std::vector<Tensor>& inputs) {
  Device& device = *rig.device;
  Result<Queue> queue = Queue::open(device);
  if (!queue) return queue.status();
  Resident resident(device, std::move(*queue));
  resident.program_ = std::move(program);
  Result<DeviceProgram::Plan> plan = resident.program_->plan(inputs);
  if (!plan) return plan.status();
  resident.plan_ = std::move(*plan);
  for (const Tensor& input : inputs) {
    Result<Tensor> copy = to_device(device, input);
    if (!copy) return copy.status();
    resident.inputs_.push_back(std::move(*copy));
  }
  for (const TensorSpec& output : resident.plan_.outputs) {
    Result<Buffer> buffer = device.allocate(device.memory(), output.size_bytes(), nullptr);
    if (!buffer) return buffer.status();
    resident.outputs_.emplace_back(output.dtype, output.shape, std::move(*buffer));
  }
  Result<Buffer> arena = device.allocate(
      device.memory(), std::max<std::size_t>(resident.plan_.arena_bytes, 1), nullptr);
  if (!arena) return arena.status();
  resident.arena_ = std::move(*arena);
  return resident;
}

Status Resident::run() {
  return queue_.launch([this](CUstream_st* stream) {
    return program_->run(
        {stream, inputs_, outputs_, {arena_, 0, plan_.arena_bytes}, plan_.prepared});
  });
}

Result<std::vector<Tensor>> Resident::outputs() {
  std::vector<Tensor> all;
  for (const Tensor& output : outputs_) {
    Result<Tensor> copy = to_host(device_, queue_, output);
    if (!copy) return copy.status();
    all.push_back(std::move(*copy));
  }
  return all;
}

Result<double> Resident::timed(int runs) {
  const TimePoint begin = now();
  Status status;
  for (int i = 0; status.is_ok() && i < runs; ++i) status = run();
  if (status.is_ok()) status = wait();
  if (!status.is_ok()) return status;
  return seconds_since(begin);
}

Result<double> Resident::runs_a_second(double round_s) {
  if (const Result<double> warm = timed(kWarmUp); !warm) return warm;
  const Result<double> probe = timed(kWarmUp);
  if (!probe) return probe;
  const double wanted = round_s * kWarmUp / std::max(*probe, 1e-6);
  const int runs = static_cast<int>(std::clamp(wanted, 1.0, 1e5));
  std::vector<double> rates;
  for (int round = 0; round < kRounds; ++round) {
    const Result<double> seconds = timed(runs);
    if (!seconds) return seconds;
    rates.push_back(runs / *seconds);
  }
  return median(rates);
}

Result<double> Resident::latency_us(int runs) {
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) {
    const Result<double> seconds = timed(1);
    if (!seconds) return seconds;
    times.push_back(*seconds * 1e6);
  }
  return median(times);
}

Result<double> Resident::round_trip_us(const Tensor& pinned, int runs) {
  std::vector<Buffer> landings;
  for (const Tensor& output : outputs_) {
    Result<Buffer> landing = device_.allocate(MemoryKind::kPinned, output.size_bytes(), nullptr);
    if (!landing) return landing.status();
    landings.push_back(std::move(*landing));
  }
  std::vector<double> times;
  for (int i = 0; i < kWarmUp + runs; ++i) {
    const TimePoint begin = now();
    Status status = queue_.stream().copy({pinned.buffer(), 0, pinned.size_bytes()},
                                         {inputs_[0].buffer(), 0, pinned.size_bytes()});
    if (status.is_ok()) status = run();
    for (std::size_t k = 0; status.is_ok() && k < outputs_.size(); ++k) {
      const std::size_t bytes = outputs_[k].size_bytes();
      status = queue_.stream().copy({outputs_[k].buffer(), 0, bytes}, {landings[k], 0, bytes});
    }
    if (status.is_ok()) status = wait();
    if (!status.is_ok()) return status;
    if (i >= kWarmUp) times.push_back(seconds_since(begin) * 1e6);
  }
  return median(times);
}

Result<double> copy_rate(Rig& rig, MemoryKind from, MemoryKind to, std::size_t size_bytes) {
  Result<Queue> queue = Queue::open(*rig.device);
  if (!queue) return queue.status();
  const Result<Buffer> source = rig.device->allocate(from, size_bytes, nullptr);
  if (!source) return source.status();
  const Result<Buffer> target = rig.device->allocate(to, size_bytes, nullptr);
  if (!target) return target.status();
  std::vector<double> rates;
  constexpr int kCopies = 8;
  for (int round = 0; round <= kRounds; ++round) {
    const TimePoint begin = now();
    for (int i = 0; i < kCopies; ++i) {
      const Status status =
          queue->stream().copy({*source, 0, size_bytes}, {*target, 0, size_bytes});
      if (!status.is_ok()) return status;
    }
    if (const Status status = queue->wait(); !status.is_ok()) return status;
    // The first is to warm up.
    if (round > 0) {
      rates.push_back(kCopies * static_cast<double>(size_bytes) / seconds_since(begin));
    }
  }
  return median(rates);
}

}  // namespace sluice::gpu_suite
