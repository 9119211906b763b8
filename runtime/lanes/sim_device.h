#pragma once

#include "sluice/core/clock.h"
#include "sluice/core/device.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace sluice {

// What a kernel takes on the simulated device.
struct SimCost {
  Duration time = std::chrono::microseconds(100);
  double share = 1.0;  // of the device, 0 to 1; kernels that fit together run side by side
};

// What goes wrong on a simulated device. Calls are counted from 1, of each kind apart.
struct SimErrors {
  // The call fails, and nothing is queued.
  std::set<std::uint64_t> refused_launches;
  std::set<std::uint64_t> refused_copies;
  // It is queued, and fails when its time is over.
  std::set<std::uint64_t> failing_launches;
  std::set<std::uint64_t> failing_copies;
  // Is never over, until SimDevice::end_hung.
  std::set<std::uint64_t> hung_launches;
  // The device is lost when this launch is over; 0: it is not.
  std::uint64_t lost_at_launch = 0;
  // An allocation beyond this many bytes in all fails.
  std::size_t memory_bytes = SIZE_MAX;
};

// Whose thread the simulated device does its work on.
enum class SimThread : std::uint8_t {
  kClocks,  // that of the clock's timers, which are to be short: for virtual time
  kOwn,     // one of the device's: kernels may compute for as long as they like
};

struct SimOptions {
  SimThread thread = SimThread::kClocks;
  Duration issue_latency = std::chrono::microseconds(2);  // between a call and its work's start
  Duration copy_latency = std::chrono::microseconds(8);   // of each copy, beside its bytes
  double bytes_per_ns = 55;                               // of a copy, in each direction
  std::function<SimCost(const Kernel&)> cost;             // SimCost{} when there is none
  // Work takes longer by up to this share of its time, drawn for each piece anew.
  double jitter = 0;
  std::uint64_t seed = 0;
  SimErrors errors;
  // What programs find in Device::operators: a table that computes on the host, or nothing.
  const sluice_cuda_api* operators = nullptr;
};

struct SimStats {
  Duration copying_in{}, computing{}, copying_out{};  // of the clock's time; kernels by their share
  std::uint64_t launches = 0;                         // done
  std::size_t most_launches = 0;                      // queued and not done, at any time
  std::uint64_t allocations = 0;
  std::size_t allocated_bytes = 0;  // now
};

// `device: sim`: a device with an engine for copies in each direction and one for kernels, which
// overlap as on a card. It changes memory as a card would, in the time of a clock, and so lets the
// scheduling of lanes be run and tested where there is no GPU. On the way it checks the order of
// all accesses to its memory (race_checker.h), and it can fail in the ways of a card.
//
// Its memory is the host's, but only its streams may use what is of kind kCuda; copies take pinned
// memory on the host's side. Kernels run one after the other, when their time is over.
// Lifetime: streams, events and buffers may outlive it; with its thread goes what is not done yet.
// Threads: thread-safe. Blocks: the destructor, for the kernel that its own thread is in.
class SimDevice final : public Device {
 public:
  static constexpr int kOrdinal = -1;  // of its memory: no GPU's

  SimDevice(std::shared_ptr<Clock> clock, SimOptions options);
  ~SimDevice() override;

  std::string name() const override { return "sim"; }
  MemoryKind memory() const override { return MemoryKind::kCuda; }
  Result<Buffer> allocate(MemoryKind kind, std::size_t size_bytes,
                          const std::shared_ptr<MemoryBudget>& budget) override;
  Result<std::unique_ptr<Stream>> new_stream() override;
  Result<std::unique_ptr<Event>> new_event() override;
  const sluice_cuda_api* operators() const override;
  Status failure() const override;
  void on_host_access(const BufferRange& range, Access access) override;

  // Ends what hangs, as work that was only slow, and lets what was queued to hang run.
  void end_hung();

  SimStats stats() const;
  // What was done to memory in no order, one line each; empty when all is well.
  std::vector<std::string> races() const;
  // Streams that have work, and none of them will ever go on: one line each.
  std::vector<std::string> stuck() const;

 private:
  class Core;
  class SimStream;
  class SimEvent;
  struct Owner;
  const std::shared_ptr<Core> core_;
  std::jthread thread_;
};

}  // namespace sluice
