#include "sluice/nodes/infer/gpu/gpu_program.h"

#include "sluice/core/cuda_status.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace sluice::gpu {
namespace {

constexpr std::size_t kMaxReady = 32;       // plans that a lane keeps ready
constexpr std::size_t kMaxCompiled = 4096;  // operators, before those that no plan uses are dropped
constexpr std::size_t kMaxRecorded = 16;    // addresses a plan; a lane has two or three slots
// A stream does its work in order, and a lane has fewer pieces of work in flight than this.
constexpr std::uint64_t kRunsUntilDone = 64;

std::byte* address_of(const Place& place, const GpuPlan& plan, const DeviceProgram::Run& run) {
  switch (place.in) {
    case Place::In::kConstant:
      return plan.constants[place.index].data();
    case Place::In::kInput:
      return run.inputs[place.index].raw();
    case Place::In::kOutput:
      return run.outputs[place.index].raw();
    case Place::In::kArena:
      return run.arena.data() + place.offset;
    case Place::In::kNowhere:
      break;
  }
  return nullptr;
}

}  // namespace

GpuProgram::GpuProgram(std::shared_ptr<PlanSource> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)), api_(*source_->device().operators()) {}

Result<std::shared_ptr<DeviceProgram>> GpuProgram::create(std::shared_ptr<PlanSource> source,
                                                          std::string name,
                                                          const std::string& cache_folder) {
  std::shared_ptr<GpuProgram> program(new GpuProgram(std::move(source), std::move(name)));
  if (Status status = program->open(cache_folder); !status.is_ok()) return status;
  return std::shared_ptr<DeviceProgram>(std::move(program));
}

Status GpuProgram::open(const std::string& cache_folder) {
  sluice_cuda_lane_options options{};
  options.workspace_bytes = source_->workspace_bytes();
  options.allow_tf32 = source_->allows_tf32() ? 1 : 0;
  options.autotune = 1;
  options.cache_folder = cache_folder.empty() ? nullptr : cache_folder.c_str();
  return check(api_.lane_create(source_->device().ordinal(), &options, &lane_), "opening a lane");
}

GpuProgram::~GpuProgram() {
  for (Ready& ready : ready_) {
    for (Recorded& recorded : ready.recorded) {
      if (recorded.graph != nullptr) api_.graph_destroy(recorded.graph);
    }
  }
  for (const Retired& retired : retired_) {
    if (retired.graph != nullptr) api_.graph_destroy(retired.graph);
  }
  ready_.clear();
  retired_.clear();
  compiled_.clear();
  if (lane_ != nullptr) api_.lane_destroy(lane_);
}

Status GpuProgram::check(int result, std::string_view what) const {
  return cuda_status(api_, result).with_context(what);
}

Result<DeviceProgram::Plan> GpuProgram::plan(std::span<const Tensor> inputs) {
  Result<std::shared_ptr<const GpuPlan>> made = source_->plan_for(inputs);
  if (!made) return made.status();
  return Plan{(*made)->outputs, (*made)->arena_bytes, *made};
}

Result<GpuProgram::Compiled> GpuProgram::compiled(const Step& step) {
  const std::string key(reinterpret_cast<const char*>(&step.op), sizeof(step.op));
  if (const auto found = compiled_.find(key); found != compiled_.end()) return found->second;
  sluice_cuda_compiled* made = nullptr;
  const Status status = check(api_.compile(lane_, &step.op, &made), step.origin);
  if (!status.is_ok()) return status;
  Compiled compiled(made, api_.compiled_destroy);
  compiled_.emplace(key, compiled);
  return compiled;
}

// Inputs of ever new shapes want ever new operators.
void GpuProgram::drop_unused() {
  if (compiled_.size() <= kMaxCompiled) return;
  std::erase_if(compiled_, [&](auto& entry) {
    if (entry.second.use_count() > 1) return false;
    retired_.push_back({nullptr, runs_, std::move(entry.second)});
    return true;
  });
}

Result<GpuProgram::Ready*> GpuProgram::ready(std::shared_ptr<const GpuPlan> plan) {
  const auto found =
      std::ranges::find_if(ready_, [&](const Ready& ready) { return ready.plan == plan; });
  if (found != ready_.end()) {
    ready_.splice(ready_.begin(), ready_, found);
    return &ready_.front();
  }
  Ready made;
  made.plan = std::move(plan);
  for (const Step& step : made.plan->steps) {
    Result<Compiled> operator_made = compiled(step);
    if (!operator_made) return operator_made.status();
    made.steps.push_back(std::move(*operator_made));
  }
  ready_.push_front(std::move(made));
  if (ready_.size() > kMaxReady) {
    forget(ready_.back());
    ready_.pop_back();
  }
  drop_unused();
  return &ready_.front();
}

void GpuProgram::forget(Ready& ready) {
  for (Recorded& recorded : ready.recorded) retire(recorded.graph);
}

void GpuProgram::retire(sluice_cuda_graph* graph) {
  if (graph != nullptr) retired_.push_back({graph, runs_});
}

Status GpuProgram::run(const Run& run) {
  ++runs_;
  while (!retired_.empty() && retired_.front().at_run + kRunsUntilDone < runs_) {
    if (retired_.front().graph != nullptr) api_.graph_destroy(retired_.front().graph);
    retired_.pop_front();
  }
  Result<Ready*> found = ready(std::static_pointer_cast<const GpuPlan>(run.prepared));
  if (!found) return found.status();
  Addresses addresses;
  for (const Tensor& input : run.inputs) addresses.push_back(input.raw());
  for (const Tensor& output : run.outputs) addresses.push_back(output.raw());
  addresses.push_back(run.arena.data());
  const Result<sluice_cuda_graph*> graph = recorded(**found, run, std::move(addresses));
  if (!graph) return graph.status();
  if (*graph == nullptr) return queue(**found, run);
  return check(api_.graph_launch(*graph, run.stream), "launching what was recorded");
}

Status GpuProgram::queue(const Ready& ready, const Run& run) {
  std::array<const void*, SLUICE_CUDA_MAX_OPERANDS> inputs;
  std::array<void*, 2> outputs;
  for (std::size_t i = 0; i < ready.steps.size(); ++i) {
    const Step& step = ready.plan->steps[i];
    for (std::size_t k = 0; k < step.inputs.size(); ++k) {
      inputs[k] = address_of(step.inputs[k], *ready.plan, run);
    }
    for (std::size_t k = 0; k < step.outputs.size(); ++k) {
      outputs[k] = address_of(step.outputs[k], *ready.plan, run);
    }
    const int result = api_.run(ready.steps[i].get(), run.stream, inputs.data(), outputs.data());
    if (result != SLUICE_CUDA_OK) return check(result, step.origin);
  }
  return Status::ok();
}

// The first run at an address is queued step by step: libraries load their code then, which they
// cannot while work is recorded, and a shape that comes once is not worth recording.
Result<sluice_cuda_graph*> GpuProgram::recorded(Ready& ready, const Run& run, Addresses addresses) {
  if (!ready.can_record) return nullptr;
  auto& all = ready.recorded;
  const auto found = std::ranges::find_if(
      all, [&](const Recorded& recorded) { return recorded.addresses == addresses; });
  if (found == all.end()) {
    all.push_front({std::move(addresses), nullptr});
    if (all.size() > kMaxRecorded) {
      retire(all.back().graph);
      all.pop_back();
    }
    return nullptr;
  }
  all.splice(all.begin(), all, found);
  if (all.front().graph == nullptr) {
    if (Status status = record(ready, run, all.front()); !status.is_ok()) return status;
  }
  return all.front().graph;
}

// What cannot be recorded is queued step by step for good; only a lost device is an error.
Status GpuProgram::record(Ready& ready, const Run& run, Recorded& into) {
  const Status begun = check(api_.capture_begin(lane_, run.stream), "beginning to record");
  if (begun.is_ok()) {
    const Status queued = queue(ready, run);
    const Status ended = check(api_.capture_end(lane_, run.stream, &into.graph), "recording");
    if (queued.is_ok() && ended.is_ok()) return Status::ok();
    if (ended.is_ok()) api_.graph_destroy(std::exchange(into.graph, nullptr));
    if (queued.code() == Code::kUnavailable) return queued;
  }
  into.graph = nullptr;
  ready.can_record = false;
  return Status::ok();
}

}  // namespace sluice::gpu
