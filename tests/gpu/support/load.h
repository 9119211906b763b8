#pragma once

#include "sluice/runtime/lanes/lane_set.h"

#include "tests/gpu/support/rig.h"

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace sluice::gpu_suite {

// Callers who each wait for their result before they ask again.
struct Load {
  std::size_t callers = 1;
  double warm_up_s = 0.1;
  double seconds = 0.4;
};

struct LoadResult {
  double runs_a_second = 0;
  std::vector<double> latencies_us;  // of those that count, a share of them where they are many
  Status status;                     // of the first that failed
};

// One run, on the calling thread, from its inputs to its results.
using Call = std::function<Status()>;

// `caller` gives each its function; what a caller has done by the end of the warm-up does not
// count.
LoadResult put_load(const Load& load, const std::function<Call(std::size_t caller)>& caller);

// A call that submits to the lanes, and sleeps until it is told.
Call through(LaneSet& lanes, std::vector<Tensor> inputs);

// Lanes over the first programs.
Result<std::unique_ptr<LaneSet>> open_lanes(
    const Rig& rig, const std::vector<std::shared_ptr<DeviceProgram>>& programs, std::size_t lanes,
    std::size_t slots);

// Runs a second, where all callers send the same.
Result<double> rate_of(LaneSet& lanes, const Load& load, const std::vector<Tensor>& inputs);

// Every lane of `count` chooses its algorithms, before anything is measured.
Status warm_up(LaneSet& lanes, std::size_t count, const std::vector<Tensor>& inputs);

}  // namespace sluice::gpu_suite
