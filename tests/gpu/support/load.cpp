#include "tests/gpu/support/load.h"

#include <condition_variable>
#include <mutex>
#include <semaphore>
#include <thread>
#include <utility>

namespace sluice::gpu_suite {
namespace {

constexpr std::size_t kMostLatencies = 20'000;  // a caller

struct Shared {
  std::atomic<bool> counts{false};
  std::atomic<bool> ends{false};
  std::mutex mutex;
  std::condition_variable ended;  // before its time
  LoadResult result;
  double runs = 0;
};

void run_caller(Shared& shared, const Call& call) {
  double runs = 0;
  std::vector<double> latencies;
  Status status;
  while (status.is_ok() && !shared.ends.load(std::memory_order_relaxed)) {
    const bool counts = shared.counts.load(std::memory_order_relaxed);
    const TimePoint begin = now();
    status = call();
    // One that ends after the time does not count, and neither does one that began before it.
    if (!counts || shared.ends.load(std::memory_order_relaxed)) continue;
    ++runs;
    if (latencies.size() < kMostLatencies) latencies.push_back(seconds_since(begin) * 1e6);
  }
  const std::scoped_lock lock(shared.mutex);
  shared.runs += runs;
  auto& all = shared.result.latencies_us;
  all.insert(all.end(), latencies.begin(), latencies.end());
  if (shared.result.status.is_ok()) shared.result.status = status;
  if (status.is_ok()) return;
  shared.ends = true;
  shared.ended.notify_all();
}

// For that long, or until a caller has failed.
void wait_while_well(Shared& shared, double seconds) {
  std::unique_lock lock(shared.mutex);
  shared.ended.wait_for(lock, std::chrono::duration<double>(seconds),
                        [&] { return shared.ends.load(); });
}

}  // namespace

LoadResult put_load(const Load& load, const std::function<Call(std::size_t caller)>& caller) {
  Shared shared;
  double counted_s = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < load.callers; ++i) {
      threads.emplace_back([&shared, call = caller(i)] { run_caller(shared, call); });
    }
    wait_while_well(shared, load.warm_up_s);
    shared.counts = true;
    const TimePoint begin = now();
    wait_while_well(shared, load.seconds);
    counted_s = seconds_since(begin);
    shared.ends = true;
  }
  shared.result.runs_a_second = shared.runs / counted_s;
  return std::move(shared.result);
}

Call through(LaneSet& lanes, std::vector<Tensor> inputs) {
  struct Told {
    std::binary_semaphore is_told{0};
    Status status;
  };
  auto told = std::make_shared<Told>();
  return [&lanes, inputs = std::move(inputs), told] {
    lanes.submit({inputs, nullptr, [told](Status status, std::span<Tensor>) {
                    told->status = std::move(status);
                    told->is_told.release();
                  }});
    told->is_told.acquire();
    return told->status;
  };
}

Result<std::unique_ptr<LaneSet>> open_lanes(
    const Rig& rig, const std::vector<std::shared_ptr<DeviceProgram>>& programs, std::size_t lanes,
    std::size_t slots) {
  LaneOptions options;
  options.node = "suite";
  options.slots = slots;
  return LaneSet::create(rig.device, rig.poller,
                         {programs.begin(), programs.begin() + static_cast<std::ptrdiff_t>(lanes)},
                         options);
}

Result<double> rate_of(LaneSet& lanes, const Load& load, const std::vector<Tensor>& inputs) {
  const LoadResult result = put_load(load, [&](std::size_t) { return through(lanes, inputs); });
  if (!result.status.is_ok()) return result.status;
  return result.runs_a_second;
}

Status warm_up(LaneSet& lanes, std::size_t count, const std::vector<Tensor>& inputs) {
  const Load load{4 * count, 0, 0.2};
  return rate_of(lanes, load, inputs).status();
}

}  // namespace sluice::gpu_suite
