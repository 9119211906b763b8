#include "tests/gpu/support/profile.h"

#include "sluice/core/cuda_abi.h"
#include "sluice/core/cuda_status.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

namespace sluice::gpu_suite {
namespace {

constexpr int kRuns = 20;

// A lane with the one operator after the other. Its memory is scratch: what is computed is not
// looked at.
class Profiler {
 public:
  Profiler(Rig& rig, const gpu::GpuPlan& plan) : rig_(rig), plan_(plan) {}
  ~Profiler() {
    if (lane_ != nullptr) api().lane_destroy(lane_);
  }
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  Status open(const sluice_cuda_lane_options& options, std::size_t scratch_bytes) {
    Status status = cuda_status(api(), api().lane_create(rig_.device->ordinal(), &options, &lane_));
    if (!status.is_ok()) return status;
    Result<Queue> queue = Queue::open(*rig_.device);
    if (!queue) return queue.status();
    queue_ = std::make_unique<Queue>(std::move(*queue));
    Result<Buffer> scratch = rig_.device->allocate(rig_.device->memory(), scratch_bytes, nullptr);
    if (!scratch) return scratch.status();
    scratch_ = std::move(*scratch);
    return Status::ok();
  }

  struct Row {
    double us = 0;
    int times = 0;
    std::string chosen;
  };
  Result<Row> time(const gpu::Step& step) {
    sluice_cuda_compiled* compiled = nullptr;
    Status status = cuda_status(api(), api().compile(lane_, &step.op, &compiled));
    if (!status.is_ok()) return status.with_context(step.origin);
    Row row{0, 1, api().compiled_name(compiled)};
    TimePoint begin = now();
    for (int i = 0; status.is_ok() && i <= kRuns; ++i) {
      if (i == 1) {
        status = queue_->wait();
        begin = now();
      }
      if (status.is_ok()) status = launch(step, compiled);
    }
    if (status.is_ok()) status = queue_->wait();
    row.us = seconds_since(begin) * 1e6 / kRuns;
    api().compiled_destroy(compiled);
    if (!status.is_ok()) return status.with_context(step.origin);
    return row;
  }

 private:
  const sluice_cuda_api& api() const { return *rig_.device->operators(); }

  Status launch(const gpu::Step& step, sluice_cuda_compiled* compiled) {
    std::array<const void*, SLUICE_CUDA_MAX_OPERANDS> inputs{};
    std::array<void*, 2> outputs{};
    for (std::size_t i = 0; i < step.inputs.size(); ++i) inputs[i] = address(step.inputs[i]);
    for (std::size_t i = 0; i < step.outputs.size(); ++i) outputs[i] = address(step.outputs[i]);
    return queue_->launch([&](CUstream_st* stream) {
      return cuda_status(api(), api().run(compiled, stream, inputs.data(), outputs.data()));
    });
  }

  // Inputs and outputs of the plan lie behind its arena.
  std::byte* address(const gpu::Place& place) const {
    if (place.in == gpu::Place::In::kConstant) return plan_.constants[place.index].data();
    if (place.in == gpu::Place::In::kArena) return scratch_.data() + place.offset;
    return scratch_.data() + (plan_.arena_bytes + 255) / 256 * 256;
  }

  Rig& rig_;
  const gpu::GpuPlan& plan_;
  sluice_cuda_lane* lane_ = nullptr;
  std::unique_ptr<Queue> queue_;
  Buffer scratch_;
};

void print(const std::map<std::string, Profiler::Row>& rows) {
  std::vector<std::pair<std::string, Profiler::Row>> sorted(rows.begin(), rows.end());
  std::ranges::sort(sorted, [](const auto& a, const auto& b) { return a.second.us > b.second.us; });
  double sum = 0;
  for (const auto& [origin, row] : sorted) sum += row.us;
  std::fprintf(stderr, "%10.1f us, all operators one by one\n", sum);
  for (const auto& [origin, row] : sorted) {
    std::fprintf(stderr, "%10.1f us %4d x  %s: %s\n", row.us, row.times, row.chosen.c_str(),
                 origin.c_str());
  }
}

}  // namespace

Status profile(Rig& rig, gpu::GpuModel& model, const std::vector<Tensor>& inputs,
               const std::string& cache_folder) {
  const Result<std::shared_ptr<const gpu::GpuPlan>> plan = model.plan_for(inputs);
  if (!plan) return plan.status();
  std::size_t beside = 256;
  for (const Tensor& input : inputs) beside = std::max(beside, input.size_bytes());
  for (const TensorSpec& output : (*plan)->outputs) beside = std::max(beside, output.size_bytes());
  sluice_cuda_lane_options options{};
  options.workspace_bytes = std::uint64_t{32} << 20;
  options.allow_tf32 = model.arithmetic() == gpu::Arithmetic::kFp32 ? 0 : 1;
  options.autotune = 1;
  options.cache_folder = cache_folder.empty() ? nullptr : cache_folder.c_str();
  Profiler profiler(rig, **plan);
  if (Status status = profiler.open(options, (*plan)->arena_bytes + beside + 512);
      !status.is_ok()) {
    return status;
  }
  std::map<std::string, Profiler::Row> rows;
  for (const gpu::Step& step : (*plan)->steps) {
    Result<Profiler::Row> row = profiler.time(step);
    if (!row) return row.status();
    Profiler::Row& all = rows[step.origin + " (" + row->chosen + ")"];
    all.us += row->us;
    ++all.times;
    all.chosen = row->chosen;
  }
  print(rows);
  return Status::ok();
}

}  // namespace sluice::gpu_suite
