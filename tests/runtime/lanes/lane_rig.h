#pragma once

#include "sluice/core/device_program.h"
#include "sluice/runtime/lanes/completion_poller.h"
#include "sluice/runtime/lanes/lane_set.h"
#include "sluice/runtime/lanes/sim_device.h"

#include "tests/runtime/lanes/stepping_clock.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace sluice::testing {

// What a program of a rig saw, in order.
struct ProgramLog {
  std::mutex mutex;
  std::vector<int> planned;  // items that the lanes took up
};

// Makes three times each element plus its place, in `output_elements` i32: an item's number, in
// each element of its input, comes out recognisably.
class TriplingProgram final : public DeviceProgram {
 public:
  // Items in `failing` fail when they are computed, items in `refused` before.
  struct Items {
    std::set<int> refused;
    std::set<int> failing;
  };
  TriplingProgram(std::int64_t output_elements, Items items, std::shared_ptr<ProgramLog> log)
      : output_elements_(output_elements), items_(std::move(items)), log_(std::move(log)) {}

  std::string_view name() const override { return "triple"; }
  Result<Plan> plan(std::span<const Tensor> inputs) override;
  Status run(const Run& run) override;

 private:
  const std::int64_t output_elements_;
  const Items items_;
  const std::shared_ptr<ProgramLog> log_;
};

struct RigOptions {
  std::size_t lanes = 2;
  std::size_t slots = 2;
  std::int64_t input_elements = 4096;
  std::int64_t output_elements = 256;
  Duration timeout = std::chrono::seconds(1);
  SimOptions sim;
  TriplingProgram::Items items;
  LaneFault fault = LaneFault::kNone;
};

// Lanes on a simulated device, all on one thread and in virtual time.
class LaneRig {
 public:
  // What somebody who submitted an item was told.
  struct Told {
    int times = 0;
    Status status;
    bool is_right = false;  // the outputs are the item's
    int order = 0;          // among all that were told
  };

  explicit LaneRig(RigOptions options);
  ~LaneRig();

  // Items are numbered in the order of submission.
  int submit();
  // Keeps `callers` items submitted, each caller the next when it was told of its last, until there
  // are `items` in all. False when some of them were never told.
  bool serve(int callers, int items);
  // Until all that was submitted was told; false when it never will be.
  bool run();
  // Until the device has nothing to do, or only what hangs.
  void settle();
  // Calls `each` when something was told, before the next item is submitted.
  void on_told(std::function<void(int item)> each) { on_told_ = std::move(each); }

  // Items as `SimErrors` and the program's items say they should fail; "" for the others.
  std::vector<std::string> expected_reasons() const;
  // Items told not exactly once, or with wrong outputs; what the device's checker found; more in
  // flight than there is room for; an order of starts that is not that of submission.
  std::vector<std::string> violations() const;
  // Of outcomes against `expected_reasons`.
  std::vector<std::string> wrong_outcomes() const;

  LaneSet& lanes() { return *lanes_; }
  void destroy_lanes() { lanes_.reset(); }
  SimDevice& sim() { return *sim_; }
  SteppingClock& clock() { return *clock_; }
  CompletionPoller& poller() { return *poller_; }
  const std::vector<Told>& told() const { return told_; }
  int untold() const { return untold_; }
  int submitted() const { return static_cast<int>(told_.size()); }

 private:
  void submit_for_caller();
  void hear(int item, Status status, std::span<Tensor> outputs);
  bool is_right(int item, std::span<Tensor> outputs) const;

  const RigOptions options_;
  const std::shared_ptr<SteppingClock> clock_ = std::make_shared<SteppingClock>();
  const std::shared_ptr<ProgramLog> log_ = std::make_shared<ProgramLog>();
  std::shared_ptr<SimDevice> sim_;
  std::shared_ptr<CompletionPoller> poller_;
  std::unique_ptr<LaneSet> lanes_;
  std::vector<Told> told_;  // by item
  int untold_ = 0;
  int last_order_ = 0;
  int to_serve_ = 0;  // items that callers are still to submit
  bool serving_ = false;
  std::function<void(int)> on_told_;
};

}  // namespace sluice::testing
