#include "tests/gpu/support/lane_sections.h"

#include "sluice/nodes/infer/gpu/gpu_program.h"

#include "tests/gpu/support/load.h"
#include "tests/gpu/support/nvml.h"
#include "tests/gpu/support/report.h"
#include "tests/gpu/support/resident.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <numeric>

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

}  // namespace

double LaneBench::soak_s() const {
  if (arguments_.seconds > 0) return arguments_.seconds;
  return is_emulated() ? 2 : is_quick() ? 20 : 300;
}

Result<Programs> LaneBench::programs(std::size_t lanes, Ending ending) {
  if (!model_ || ending != ending_) {
    Result<TestModel> model = make_model(is_emulated() ? "tiny" : "resnet50", ending);
    if (!model) return model.status();
    model_ = std::make_shared<TestModel>(std::move(*model));
    on_gpu_ = std::make_shared<gpu::GpuModel>(model_->graph, rig_.device, gpu::Arithmetic::kFp16);
    ending_ = ending;
  }
  Programs all;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    Result<std::shared_ptr<DeviceProgram>> program =
        gpu::GpuProgram::create(on_gpu_, model_->name, arguments_.cache_folder);
    if (!program) return program.status();
    all.push_back(std::move(*program));
  }
  return all;
}

Result<std::vector<Tensor>> LaneBench::inputs(std::int64_t batch) {
  std::vector<Tensor> all;
  for (const Tensor& input : model_->inputs(batch)) {
    Result<Tensor> pinned = to_pinned(*rig_.device, input);
    if (!pinned) return pinned.status();
    all.push_back(std::move(*pinned));
  }
  return all;
}

namespace {

Result<double> rate_of(LaneSet& lanes, const Load& load, const std::vector<Tensor>& inputs) {
  const LoadResult result = put_load(load, [&](std::size_t) { return through(lanes, inputs); });
  if (!result.status.is_ok()) return result.status;
  return result.runs_a_second;
}

// Every lane chooses its algorithms before anything is measured.
Status warm_up(LaneSet& lanes, std::size_t count, const std::vector<Tensor>& inputs) {
  const Load load{4 * count, 0, 0.2};
  return rate_of(lanes, load, inputs).status();
}

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

namespace {

// A run's parts, each alone, in seconds.
struct Parts {
  double in_s = 0, compute_s = 0, out_s = 0;
  double longest() const { return std::max({in_s, compute_s, out_s}); }
};

std::size_t bytes_of(const std::vector<Tensor>& tensors) {
  std::size_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.size_bytes();
  return bytes;
}

Result<Parts> parts_of(LaneBench& bench, const std::shared_ptr<DeviceProgram>& program,
                       const std::vector<Tensor>& inputs) {
  Rig& rig = bench.rig();
  Parts parts;
  Result<Resident> resident = Resident::open(rig, program, inputs);
  if (!resident) return resident.status();
  const Result<double> runs = resident->runs_a_second(0.1);
  if (!runs) return runs.status();
  const Result<std::vector<Tensor>> outputs = resident->outputs();
  if (!outputs) return outputs.status();
  parts.compute_s = 1 / *runs;
  const MemoryKind on_device = rig.device->memory();
  const std::size_t in = bytes_of(inputs), out = bytes_of(*outputs);
  const Result<double> in_rate = copy_rate(rig, MemoryKind::kPinned, on_device, in);
  if (!in_rate) return in_rate.status();
  const Result<double> out_rate = copy_rate(rig, on_device, MemoryKind::kPinned, out);
  if (!out_rate) return out_rate.status();
  parts.in_s = static_cast<double>(in) / *in_rate;
  parts.out_s = static_cast<double>(out) / *out_rate;
  return parts;
}

Status overlap(LaneBench& bench) {
  const Result<Programs> programs = bench.programs(2);
  if (!programs) return programs.status();
  const Result<std::vector<Tensor>> inputs = bench.inputs(bench.batch(64));
  if (!inputs) return inputs.status();
  const Result<Parts> parts = parts_of(bench, programs->front(), *inputs);
  if (!parts) return parts.status();
  const Result<std::unique_ptr<LaneSet>> set = open_lanes(bench.rig(), *programs, 2, 3);
  if (!set) return set.status();
  if (Status status = warm_up(**set, 2, *inputs); !status.is_ok()) return status;
  const Result<double> rate = rate_of(**set, {16, 0.2, 1.0}, *inputs);
  if (!rate) return rate.status();
  report("m6.in", parts->in_s * 1e6, "us");
  report("m6.compute", parts->compute_s * 1e6, "us");
  report("m6.out", parts->out_s * 1e6, "us");
  report("m6.run", 1e6 / *rate, "us");
  report("m6.overlap", parts->longest() * *rate, "longest part over run");
  return Status::ok();
}

Status busy(LaneBench& bench) {
  const Result<Programs> programs = bench.programs(4);
  if (!programs) return programs.status();
  const Result<std::vector<Tensor>> inputs = bench.inputs(bench.batch(64));
  if (!inputs) return inputs.status();
  const Result<std::unique_ptr<LaneSet>> set = open_lanes(bench.rig(), *programs, 4, 2);
  if (!set) return set.status();
  if (Status status = warm_up(**set, 4, *inputs); !status.is_ok()) return status;
  BusySampler sampler;
  const Result<double> rate = rate_of(**set, {16, 0, bench.is_emulated() ? 0.5 : 4.0}, *inputs);
  std::vector<double> samples = sampler.end();
  if (!rate) return rate.status();
  // The driver's first periods are those from before.
  samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2));
  if (samples.empty()) return unsupported("suite.nvml", "no libnvidia-ml.so.1 to ask");
  report("m7.busy",
         std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size()),
         "%");
  return Status::ok();
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

void measure_overlap(LaneBench& bench) { measured("m6.*", overlap(bench)); }
void measure_busy(LaneBench& bench) { measured("m7.*", busy(bench)); }
void measure_cpu_work(LaneBench& bench) { measured("m9.*", cpu_work(bench)); }
void soak(LaneBench& bench) { measured("m12.*", soak_lanes(bench)); }

}  // namespace sluice::gpu_suite
