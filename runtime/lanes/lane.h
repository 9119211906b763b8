#pragma once

#include "sluice/core/device_program.h"
#include "sluice/runtime/lanes/device_pool.h"
#include "sluice/runtime/lanes/lane_fault.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace sluice {

// What one piece of work needs of a lane: memory for what goes in and comes out, on the host and on
// the device, and the events that tell how far it is. Memory grows to the largest work seen.
// Threads: its owner's, who got it from the scheduler and keeps it until the last event is done.
struct LaneSlot {
  struct Memory {
    Buffer pinned;
    Buffer device;
  };
  // One tensor's place in both.
  struct Part {
    std::size_t offset_bytes;
    std::size_t size_bytes;
  };
  // What goes into the device's memory of the input, from where it is.
  struct Copy {
    BufferRange from;
    std::size_t to_bytes;
  };

  Memory input, output;
  Buffer arena;
  std::unique_ptr<Event> copied_in, computed, copied_out;

  // Of the work that is in it.
  DeviceProgram::Plan plan;
  std::vector<Part> input_parts, output_parts;
  std::size_t input_bytes = 0, output_bytes = 0;
  std::vector<Tensor> device_inputs, device_outputs;
  std::vector<Copy> copies;     // in
  std::vector<Buffer> staying;  // by output: where it is to be on the device; none for the others
  Memory* output_memory = &output;
};

// Dedicated streams of a device (copy in, compute, copy out), and the program that runs on them.
// The copies of one slot overlap with the kernel of another. A slot's work goes through the streams
// in order of events, and nothing of it is done on the host but to copy pageable memory.
// Errors: those of the program and of the device. Blocks: only to allocate memory.
class Lane {
 public:
  static Result<std::unique_ptr<Lane>> create(Device& device, std::shared_ptr<DevicePool> pool,
                                              std::shared_ptr<DeviceProgram> program,
                                              std::size_t slots, LaneFault fault);

  DeviceProgram& program() { return *program_; }
  std::vector<LaneSlot>& slots() { return slots_; }
  // Times that a slot's memory had to grow.
  std::size_t allocations() const { return allocations_.load(std::memory_order_relaxed); }

  // Lays the work out in the slot, and copies what is in pageable memory to the slot's pinned one,
  // and what comes in rows. `stays` says by output which of them stay on the device.
  // Threads: slots may be filled side by side.
  Status fill(LaneSlot& slot, std::span<const Tensor> inputs, std::span<const Rows> rows,
              const std::vector<bool>& stays);
  // Memory for work with such inputs, so that `fill` needs to allocate none.
  Status reserve(LaneSlot& slot, std::span<const Tensor> inputs);

  struct Queued {
    Status failure;        // why not all of it was queued
    bool ends_with_event;  // `copied_out` tells when what was queued is over; else nobody can tell
  };
  // Queues what was filled in. Threads: one at a time.
  Queued queue(LaneSlot& slot);

  // How the work went. REQUIRES: `copied_out` is done, with `end`.
  Status outcome(LaneSlot& slot, const Status& end);
  // The results, in memory of their own, of the device for those that stay there.
  // REQUIRES: the outcome was ok.
  Result<std::vector<Tensor>> read_outputs(LaneSlot& slot,
                                           const std::shared_ptr<MemoryBudget>& budget);
  // Lets go of what the work shared with others.
  static void clear(LaneSlot& slot);

 private:
  Lane(Device& device, std::shared_ptr<DevicePool> pool, std::shared_ptr<DeviceProgram> program,
       LaneFault fault)
      : device_(device), pool_(std::move(pool)), program_(std::move(program)), fault_(fault) {}
  Status open(std::size_t slots);
  Status lay_out(LaneSlot& slot, std::span<const Tensor> inputs);
  Status grow(Buffer& buffer, MemoryKind kind, std::size_t size_bytes);
  void stage(LaneSlot& slot, std::span<const Tensor> rows, LaneSlot::Part part);
  Status keep_on_device(LaneSlot& slot, const std::vector<bool>& stays);
  Status copy_in(LaneSlot& slot);
  Status launch(LaneSlot& slot);
  Status copy_out(LaneSlot& slot);

  Device& device_;
  const std::shared_ptr<DevicePool> pool_;
  const std::shared_ptr<DeviceProgram> program_;
  const LaneFault fault_;
  std::unique_ptr<Stream> copy_in_, compute_, copy_out_;
  std::vector<LaneSlot> slots_;
  std::atomic<std::size_t> allocations_{0};
};

}  // namespace sluice
