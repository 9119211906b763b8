#include "tests/gpu/support/lane_sections.h"
#include "tests/gpu/support/load.h"
#include "tests/gpu/support/report.h"
#include "tests/gpu/support/resident.h"

#include <algorithm>
#include <mutex>

namespace sluice::gpu_suite {
namespace {

using Programs = std::vector<std::shared_ptr<DeviceProgram>>;

struct Grid {
  std::vector<std::size_t> callers{1, 4, 16, 64};
  double seconds = 0.4;
  double never_below = 1;  // of the rate with fewer callers
  double sixteen_over_one = 0;
};

Status measure_row(LaneBench& bench, const Programs& programs, std::size_t lanes,
                   std::int64_t batch, Grid& grid) {
  const Result<std::vector<Tensor>> inputs = bench.inputs(batch);
  if (!inputs) return inputs.status();
  const Result<std::unique_ptr<LaneSet>> set = open_lanes(bench.rig(), programs, lanes, 2);
  if (!set) return set.status();
  if (Status status = (*set)->reserve(*inputs); !status.is_ok()) return status;
  if (Status status = warm_up(**set, lanes, *inputs); !status.is_ok()) return status;
  double best = 0, of_one = 0;
  for (const std::size_t callers : grid.callers) {
    const Result<double> runs = rate_of(**set, {callers, 0.1, grid.seconds}, *inputs);
    if (!runs) return runs.status();
    const double rate = *runs * static_cast<double>(batch);
    report("m5.l" + std::to_string(lanes) + ".n" + std::to_string(batch) + ".c" +
               std::to_string(callers),
           rate, "images/s");
    if (best > 0) grid.never_below = std::min(grid.never_below, rate / best);
    best = std::max(best, rate);
    if (callers == 1) of_one = rate;
    // With the lanes that a node has when nothing is said.
    if (callers == 16 && batch == 1 && lanes == 4) grid.sixteen_over_one = rate / of_one;
  }
  return Status::ok();
}

// What callers without lanes get: each has a stream, or all share one.
Call without_lanes(const std::shared_ptr<Resident>& resident, const std::shared_ptr<Queue>& copies,
                   const Tensor& pinned, const Buffer& landing,
                   const std::shared_ptr<std::mutex>& turn) {
  return [=] {
    const std::unique_lock lock = turn ? std::unique_lock(*turn) : std::unique_lock<std::mutex>();
    Status status = copies->stream().copy({pinned.buffer(), 0, pinned.size_bytes()},
                                          {landing, 0, pinned.size_bytes()});
    if (status.is_ok()) status = copies->wait();
    if (status.is_ok()) status = resident->run();
    if (status.is_ok()) status = resident->wait();
    return status;
  };
}

Status measure_without_lanes(LaneBench& bench, const Programs& programs, std::int64_t batch,
                             std::size_t callers, std::shared_ptr<std::mutex> turn,
                             const std::string& name) {
  const Result<std::vector<Tensor>> inputs = bench.inputs(batch);
  if (!inputs) return inputs.status();
  std::vector<Call> calls;
  for (std::size_t i = 0; i < callers; ++i) {
    Result<Resident> resident = Resident::open(bench.rig(), programs[i], *inputs);
    if (!resident) return resident.status();
    Result<Queue> copies = Queue::open(*bench.rig().device);
    if (!copies) return copies.status();
    Device& device = *bench.rig().device;
    Result<Buffer> landing =
        device.allocate(device.memory(), inputs->front().size_bytes(), nullptr);
    if (!landing) return landing.status();
    calls.push_back(without_lanes(std::make_shared<Resident>(std::move(*resident)),
                                  std::make_shared<Queue>(std::move(*copies)), inputs->front(),
                                  *landing, turn));
    for (int run = 0; run < 3; ++run) {
      if (Status status = calls.back()(); !status.is_ok()) return status;
    }
  }
  const LoadResult result =
      put_load({callers, 0.1, 0.4}, [&](std::size_t caller) { return calls[caller]; });
  if (result.status.is_ok()) {
    report(name, result.runs_a_second * static_cast<double>(batch), "images/s");
  }
  return result.status;
}

}  // namespace

void measure_callers(LaneBench& bench) {
  Grid grid;
  std::vector<std::size_t> lanes{1, 2, 4, 8};
  if (bench.is_quick()) grid.seconds = 0.2;
  if (bench.is_emulated()) grid = {{1, 4}, 0.1}, lanes = {1, 2};
  const Result<Programs> programs = bench.programs(bench.is_emulated() ? 4 : 16);
  if (!measured("m5.*", programs.status())) return;
  bool is_whole = true;
  for (const std::int64_t batch : {1, 8, 64}) {
    for (const std::size_t count : lanes) {
      const std::string row = "m5.l" + std::to_string(count) + ".n" + std::to_string(batch) + "*";
      is_whole &= measured(row, measure_row(bench, *programs, count, bench.batch(batch), grid));
    }
  }
  if (is_whole) {
    report("m5.never_below", grid.never_below, "of the rate with fewer callers");
    if (grid.sixteen_over_one > 0) {
      report("m5.batch1_16_over_1", grid.sixteen_over_one, "x, 4 lanes");
    }
  }
  for (const std::size_t callers : {std::size_t{1}, programs->size()}) {
    const std::string count = std::to_string(callers);
    std::string name = "m5.unguarded.own_streams.c" + count;
    measured(name, measure_without_lanes(bench, *programs, 1, callers, nullptr, name));
    name = "m5.unguarded.in_turn.c" + count;
    measured(name, measure_without_lanes(bench, *programs, 1, callers,
                                         std::make_shared<std::mutex>(), name));
  }
}

}  // namespace sluice::gpu_suite
