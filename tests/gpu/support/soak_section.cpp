#include "tests/gpu/support/lane_sections.h"
#include "tests/gpu/support/load.h"
#include "tests/gpu/support/report.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

namespace sluice::gpu_suite {
namespace {

using Programs = std::vector<std::shared_ptr<DeviceProgram>>;

constexpr double kMiB = 1 << 20;

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  double pages = 0, in_memory = 0;
  file >> pages >> in_memory;
  return in_memory * static_cast<double>(sysconf(_SC_PAGESIZE)) / kMiB;
}

// Work as a node has that computes: a table that fits the second cache is mixed.
double mix(std::vector<std::uint32_t>& table, std::uint32_t seed) {
  for (std::uint32_t& word : table) {
    seed = seed * 1664525 + 1013904223;
    word = (word ^ seed) * 2654435761U;
  }
  return table[seed % table.size()];
}

// Rounds of that work in a second, on so many threads.
double cpu_rate(std::size_t threads, double seconds) {
  const LoadResult result = put_load({threads, 0.1, seconds}, [](std::size_t caller) -> Call {
    auto table = std::make_shared<std::vector<std::uint32_t>>(65'536);
    return [table, caller] {
      return mix(*table, static_cast<std::uint32_t>(caller)) < 0
                 ? internal("suite.mix", "a negative number")
                 : Status::ok();
    };
  });
  return result.runs_a_second;
}

Status cpu_work(LaneBench& bench) {
  const Result<Programs> programs = bench.programs(4);
  if (!programs) return programs.status();
  const Result<std::vector<Tensor>> inputs = bench.inputs(bench.batch(64));
  if (!inputs) return inputs.status();
  const Result<std::unique_ptr<LaneSet>> set = open_lanes(bench.rig(), *programs, 4, 2);
  if (!set) return set.status();
  if (Status status = warm_up(**set, 4, *inputs); !status.is_ok()) return status;
  // One core is left to those who submit and to the polling thread.
  const std::size_t threads = std::max(1U, std::thread::hardware_concurrency() - 1);
  const double seconds = bench.is_emulated() ? 0.2 : 1.0;
  std::vector<double> kept;
  for (int round = 0; round < 3; ++round) {
    const double idle = cpu_rate(threads, seconds);
    Result<double> gpu_rate = 0.0;
    double busy = 0;
    {
      std::jthread load([&] { gpu_rate = rate_of(**set, {16, 0, seconds + 0.4}, *inputs); });
      busy = cpu_rate(threads, seconds);
    }
    if (!gpu_rate) return gpu_rate.status();
    kept.push_back(busy / idle);
  }
  report("m9.threads", static_cast<double>(threads), "threads of CPU work");
  report("m9.cpu_kept", median(kept), "of the idle machine's rate");
  return Status::ok();
}

Status soak_lanes(LaneBench& bench) {
  const Result<Programs> programs = bench.programs(4);
  if (!programs) return programs.status();
  std::vector<std::vector<Tensor>> inputs;
  for (const std::int64_t batch : {64, 8, 1}) {
    Result<std::vector<Tensor>> made = bench.inputs(bench.batch(batch));
    if (!made) return made.status();
    inputs.push_back(std::move(*made));
  }
  const Result<std::unique_ptr<LaneSet>> set = open_lanes(bench.rig(), *programs, 4, 2);
  if (!set) return set.status();
  // The largest first, so that nothing has to grow afterwards.
  if (Status status = (*set)->reserve(inputs.front()); !status.is_ok()) return status;
  const auto caller = [&](std::size_t number) { return through(**set, inputs[number % 3]); };
  const Load warm{24, 0, std::min(5.0, bench.soak_s() / 4)};
  if (LoadResult result = put_load(warm, caller); !result.status.is_ok()) return result.status;
  const std::uint64_t allocations = (*set)->stats().allocations;
  const double memory = resident_mib();
  const LoadResult result = put_load({24, 0, bench.soak_s()}, caller);
  if (!result.status.is_ok()) return result.status;
  report("m12.seconds", bench.soak_s(), "s");
  report("m12.runs", static_cast<double>((*set)->stats().done), "runs");
  report("m12.failed", static_cast<double>((*set)->stats().failed), "runs");
  report("m12.allocations", static_cast<double>((*set)->stats().allocations - allocations),
         "of device and pinned memory");
  report("m12.rss_growth", resident_mib() - memory, "MiB");
  return Status::ok();
}

}  // namespace

void measure_cpu_work(LaneBench& bench) { measured("m9.*", cpu_work(bench)); }
void soak(LaneBench& bench) { measured("m12.*", soak_lanes(bench)); }

}  // namespace sluice::gpu_suite
