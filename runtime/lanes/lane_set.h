#pragma once

#include "sluice/core/clock.h"
#include "sluice/core/device_program.h"
#include "sluice/runtime/lanes/completion_poller.h"
#include "sluice/runtime/lanes/device_pool.h"
#include "sluice/runtime/lanes/lane_fault.h"
#include "sluice/runtime/scheduler.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sluice {

// One piece of work for a lane: what a program makes of these inputs.
struct LaneWork {
  // Contiguous, in the host's memory or a device's. Those in pageable memory go by way of the
  // slot's pinned one, others are copied from where they are, once they are ready.
  std::vector<Tensor> inputs;
  std::shared_ptr<MemoryBudget> budget;  // pays for the outputs; none: nobody does
  // Is called once, whatever happens, with the outputs if all went well; they are its to move from.
  // It holds no lock and must not wait. It may be called before `submit` returns.
  std::function<void(Status status, std::span<Tensor> outputs)> done;
  // By input; those beyond have none. An input that has some gives its type and shape, and may be
  // the first row, repeated.
  std::vector<Rows> rows = {};
  // By output: those that stay on the device. They are given in its memory, and are there already.
  std::vector<bool> stays = {};
};

struct LaneOptions {
  std::string node;  // whose lanes these are, for messages
  // Work in flight in each lane: 2 hide the copies of one behind the kernel of the other, 3 also
  // copies that take as long as the kernel. Each holds pinned and device memory.
  static constexpr std::size_t kSlots = 2;
  std::size_t slots = kSlots;
  // After that long as the oldest of its lane, a piece of work is given up.
  Duration timeout = std::chrono::seconds(30);
  // Runs what copies an item's bytes and tells its results, once each, on another thread or later;
  // none: the polling thread does it itself.
  std::function<void(Runnable&)> executor;
  // Where outputs that stay have their memory; none: the lanes have a pool of their own.
  std::shared_ptr<DevicePool> pool = nullptr;
  LaneFault fault = LaneFault::kNone;  // for tests
};

struct LaneStats {
  std::size_t in_flight = 0;       // has a slot
  std::size_t most_in_flight = 0;  // never above lanes x slots
  std::size_t waiting = 0;         // for a slot
  std::size_t stuck_lanes = 0;     // their work is overdue, and has not ended yet
  std::uint64_t done = 0;          // delivered, and well
  std::uint64_t failed = 0;        // delivered with a failure
  std::uint64_t overdue = 0;       // of those
  std::uint64_t refused = 0;       // not taken
  std::uint64_t allocations = 0;   // of pinned and device memory, since it was created
};

// The lanes of one node on one device: one for each program, with a few slots each. Work beyond
// lanes x slots waits here in the order in which it came, so that the device sees the same load
// however many there are who submit.
//
// A failure of a piece of work is its own. When the device is lost, all that is in flight or waits
// fails, each with node, lane and operator, and so does whatever is submitted later, with what was
// said first. Work whose end does not come in time is given up, while its slot stays taken until it
// does come; a lane with such a slot takes no work, and when all have one, work fails at once.
// Threads: thread-safe; `drain` one at a time. Blocks: only `drain`. Lifetime: may be destroyed in
// any state, but not by a `done` of its own: what is left is cancelled, and nobody is told anything
// any more once the destructor has returned, which may wait for a `done` that another thread is in.
// What the device still uses is kept until the device is done with it.
class LaneSet {
 public:
  // REQUIRES: a program or more, a slot or more, and a timeout above zero.
  // Errors: those of the device; memory.exhausted.
  static Result<std::unique_ptr<LaneSet>> create(
      std::shared_ptr<Device> device, std::shared_ptr<CompletionPoller> poller,
      std::vector<std::shared_ptr<DeviceProgram>> programs, LaneOptions options);
  ~LaneSet();

  // Memory for work with inputs of such types and shapes in every slot, so that later work of that
  // size allocates none. REQUIRES: nothing was submitted yet. Errors: as above.
  Status reserve(std::span<const Tensor> inputs);

  // Copies pageable inputs and queues the work, or lets it wait for a slot. Never waits for the
  // device, nor for others that submit but to queue work on the same lane.
  void submit(LaneWork work);

  // Takes no more work, and waits until what was submitted has been delivered, or until `until`.
  // True when all has. Blocks: on the clock.
  bool drain(TimePoint until);
  // Delivers `why` to whatever has not been delivered, and takes no more work.
  void cancel(const Status& why);

  LaneStats stats() const;

 private:
  class Core;
  LaneSet(std::shared_ptr<CompletionPoller> poller, std::shared_ptr<Core> core);

  const std::shared_ptr<CompletionPoller> poller_;
  const std::shared_ptr<Core> core_;
};

}  // namespace sluice
