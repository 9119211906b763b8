#include "tests/gpu/support/lane_sections.h"
#include "tests/gpu/support/load.h"
#include "tests/gpu/support/nvml.h"
#include "tests/gpu/support/report.h"
#include "tests/gpu/support/resident.h"

#include <algorithm>
#include <numeric>

namespace sluice::gpu_suite {
namespace {

using Programs = std::vector<std::shared_ptr<DeviceProgram>>;

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

}  // namespace

void measure_overlap(LaneBench& bench) { measured("m6.*", overlap(bench)); }
void measure_busy(LaneBench& bench) { measured("m7.*", busy(bench)); }

}  // namespace sluice::gpu_suite
