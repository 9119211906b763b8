// Models alone, with their inputs in the device's memory (M4): first whether what they give is what
// the CPU gives, then how many items a second.
//   gpu_models [--device cuda|emulated] [--cache FOLDER] [--quick] [--profile] [MODEL...]
#include "tests/gpu/support/models.h"

#include "sluice/nodes/infer/gpu/gpu_program.h"

#include "tests/gpu/support/arguments.h"
#include "tests/gpu/support/profile.h"
#include "tests/gpu/support/report.h"
#include "tests/gpu/support/resident.h"

namespace sluice::gpu_suite {
namespace {

using gpu::Arithmetic;

struct Bench {
  Rig& rig;
  const Arguments& arguments;
  const TestModel& model;
  Arithmetic arithmetic;
  std::shared_ptr<gpu::GpuModel> on_gpu;

  std::string prefix() const {
    return "m4." + model.name + "." + std::string(to_string(arithmetic));
  }
};

Result<Resident> resident(const Bench& bench, const std::vector<Tensor>& inputs) {
  Result<std::shared_ptr<DeviceProgram>> program =
      gpu::GpuProgram::create(bench.on_gpu, bench.model.name, bench.arguments.cache_folder);
  if (!program) return program.status();
  return Resident::open(bench.rig, std::move(*program), inputs);
}

// Three runs: step by step, while it is recorded, and recorded. All must be right.
Status check(const Bench& bench) {
  const std::vector<Tensor> inputs = bench.model.inputs(1);
  const Result<std::unique_ptr<Session>> session = bench.model.native->new_session();
  if (!session) return session.status();
  const Result<std::span<Tensor>> expected = (*session)->run(inputs, nullptr);
  if (!expected) return expected.status();
  Result<Resident> on_gpu = resident(bench, inputs);
  if (!on_gpu) return on_gpu.status();
  double error = 0;
  for (int run = 0; run < 3; ++run) {
    if (const Status status = on_gpu->run(); !status.is_ok()) return status;
    const Result<std::vector<Tensor>> actual = on_gpu->outputs();
    if (!actual) return actual.status();
    const double of_run = relative_error(*actual, {expected->begin(), expected->end()});
    if (!(of_run <= error)) error = of_run;
  }
  report(bench.prefix() + ".error", error, "relative");
  return Status::ok();
}

Status measure(const Bench& bench, std::int64_t batch) {
  const std::string name = bench.prefix() + ".n" + std::to_string(batch);
  const TimePoint begin = now();
  Result<Resident> on_gpu = resident(bench, bench.model.inputs(batch));
  if (!on_gpu) return on_gpu.status();
  Status first = on_gpu->run();
  if (first.is_ok()) first = on_gpu->wait();
  if (!first.is_ok()) return first;
  report(name + ".ready", seconds_since(begin), "s");
  const Result<double> rate = on_gpu->runs_a_second(bench.arguments.is_quick ? 0.05 : 0.25);
  if (!rate) return rate.status();
  report(name, *rate * static_cast<double>(batch), bench.model.unit);
  report(name + ".arena", static_cast<double>(on_gpu->arena_bytes()) / 1e6, "MB");
  if (batch > 1) return Status::ok();
  const Result<double> latency = on_gpu->latency_us(bench.arguments.is_quick ? 50 : 300);
  if (latency) report(name + ".latency", *latency, "us");
  return latency.status();
}

// What bars are about comes first.
std::vector<std::int64_t> batches_of(const Bench& bench) {
  if (bench.arguments.device == "emulated") return {2, 1};
  if (bench.arithmetic == Arithmetic::kFp16) return {64, 1, 8, 256};
  return {64};
}

void run_model(const Bench& bench) {
  if (!measured(bench.prefix() + ".*", check(bench))) return;
  const std::vector<std::int64_t> batches = batches_of(bench);
  for (const std::int64_t batch : batches) {
    measured(bench.prefix() + ".n" + std::to_string(batch) + "*", measure(bench, batch));
  }
  if (bench.arguments.has_profile && bench.arithmetic == Arithmetic::kFp16) {
    measured(bench.prefix() + ".profile",
             profile(bench.rig, *bench.on_gpu, bench.model.inputs(batches.front()),
                     bench.arguments.cache_folder));
  }
}

int run(const Arguments& arguments) {
  Result<Rig> rig = open_rig(arguments.device);
  if (!measured("m4.*", rig.status())) return kNoDevice;
  std::vector<std::string> names = arguments.names;
  if (names.empty()) names = {"resnet50", "minilm", "mobilenetv2"};
  std::vector<TestModel> models;
  for (const std::string& name : names) {
    Result<TestModel> model = make_model(name);
    if (measured("m4." + name + ".*", model.status())) models.push_back(std::move(*model));
  }
  std::vector<Arithmetic> all{Arithmetic::kFp16};
  if (!arguments.is_quick) {
    all.insert(all.end(), {Arithmetic::kTf32, Arithmetic::kBf16, Arithmetic::kFp32});
  }
  for (const Arithmetic arithmetic : all) {
    for (const TestModel& model : models) {
      run_model({*rig, arguments, model, arithmetic,
                 std::make_shared<gpu::GpuModel>(model.graph, rig->device, arithmetic)});
    }
  }
  return 0;
}

}  // namespace
}  // namespace sluice::gpu_suite

int main(int count, char** words) {
  return sluice::gpu_suite::main_of(count, words, sluice::gpu_suite::run);
}
