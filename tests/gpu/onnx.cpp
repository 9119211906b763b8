// The backend cases of the ONNX project on the device (M3), in fp32: those that the CPU passes.
//   gpu_onnx [--device cuda|emulated] [--seconds N] [GROUP...]
// After N seconds (45) it says how many cases are left.
// SLUICE_ONNX_TESTDATA says where they are: Debian's libonnx-testdata, or the PyPI package onnx.
#include "sluice/nodes/infer/gpu/gpu_program.h"

#include "tests/gpu/support/arguments.h"
#include "tests/gpu/support/report.h"
#include "tests/gpu/support/resident.h"
#include "tests/nodes/infer/backends/onnx_cases.h"
#include "tests/nodes/infer/gpu/emulated_gpu.h"

#include <cstdio>
#include <filesystem>

namespace sluice::gpu_suite {
namespace {

// Runs each input three times, the last of them recorded.
class ResidentSession final : public Session {
 public:
  ResidentSession(Rig& rig, std::shared_ptr<gpu::GpuModel> model)
      : rig_(rig), model_(std::move(model)) {}

  Result<std::span<Tensor>> run(std::span<const Tensor> inputs,
                                const std::shared_ptr<MemoryBudget>&) override {
    Result<std::shared_ptr<DeviceProgram>> program = gpu::GpuProgram::create(model_, "model", "");
    if (!program) return program.status();
    Result<Resident> resident =
        Resident::open(rig_, std::move(*program), {inputs.begin(), inputs.end()});
    if (!resident) return resident.status();
    for (int run = 0; run < 3; ++run) {
      if (Status status = resident->run(); !status.is_ok()) return status;
    }
    Result<std::vector<Tensor>> outputs = resident->outputs();
    if (!outputs) return outputs.status();
    outputs_ = std::move(*outputs);
    return std::span(outputs_);
  }

 private:
  Rig& rig_;
  const std::shared_ptr<gpu::GpuModel> model_;
  std::vector<Tensor> outputs_;
};

class ResidentModel final : public Model {
 public:
  ResidentModel(Rig& rig, std::shared_ptr<const Model> native)
      : rig_(rig),
        native_(std::move(native)),
        on_gpu_(std::make_shared<gpu::GpuModel>(testing::graph_of(native_), rig.device,
                                                gpu::Arithmetic::kFp32)) {}

  const std::vector<ModelPort>& inputs() const override { return native_->inputs(); }
  const std::vector<ModelPort>& outputs() const override { return native_->outputs(); }
  const std::map<std::string, std::string>& metadata() const override {
    return native_->metadata();
  }
  std::string_view backend() const override { return "gpu"; }
  std::size_t weight_bytes() const override { return native_->weight_bytes(); }
  Result<std::vector<Shape>> output_shapes(std::span<const Shape> inputs) const override {
    return native_->output_shapes(inputs);
  }
  Result<std::unique_ptr<Session>> new_session() const override {
    return std::unique_ptr<Session>(std::make_unique<ResidentSession>(rig_, on_gpu_));
  }

 private:
  Rig& rig_;
  const std::shared_ptr<const Model> native_;
  const std::shared_ptr<gpu::GpuModel> on_gpu_;
};

class ResidentBackend final : public Backend {
 public:
  explicit ResidentBackend(Rig& rig) : rig_(rig) {}
  std::string_view name() const override { return "gpu"; }
  Status available() const override { return Status::ok(); }
  Result<std::shared_ptr<const Model>> load(const std::string& path,
                                            const ModelOptions& options) const override {
    Result<std::shared_ptr<const Model>> native = find_backend("native")->load(path, options);
    if (!native) return native;
    return std::shared_ptr<const Model>(std::make_shared<ResidentModel>(rig_, std::move(*native)));
  }

 private:
  Rig& rig_;
};

std::vector<std::filesystem::path> cases_of(std::vector<std::string> groups) {
  if (groups.empty()) groups = {"node", "simple", "pytorch-operator", "pytorch-converted"};
  std::vector<std::filesystem::path> all;
  for (const std::string& group : groups) {
    if (!std::filesystem::is_directory(testing::onnx_testdata() / group)) continue;
    const auto cases = testing::onnx_cases(group);
    all.insert(all.end(), cases.begin(), cases.end());
  }
  return all;
}

int run(const Arguments& arguments) {
  Result<Rig> rig = open_rig(arguments.device);
  if (!measured("m3.onnx*", rig.status())) return kNoDevice;
  const auto cases = cases_of(arguments.names);
  if (cases.empty()) {
    unmeasured("m3.onnx*", "the cases of the ONNX project are not here (SLUICE_ONNX_TESTDATA)");
    return 0;
  }
  const ResidentBackend on_gpu(*rig);
  const Backend& on_cpu = *find_backend("native");
  const double most_s = arguments.seconds > 0 ? arguments.seconds : 45;
  const TimePoint begin = now();
  std::size_t tried = 0;
  int passed = 0, failed = 0;
  for (; tried < cases.size() && seconds_since(begin) < most_s; ++tried) {
    const auto& folder = cases[tried];
    if (testing::run_onnx_case(on_cpu, folder).outcome != testing::Outcome::kPassed) continue;
    const testing::CaseResult result = testing::run_onnx_case(on_gpu, folder);
    const bool has_passed = result.outcome == testing::Outcome::kPassed;
    ++(has_passed ? passed : failed);
    if (has_passed) continue;
    std::fprintf(stderr, "%s: %s\n", folder.filename().c_str(), result.detail.c_str());
  }
  report("m3.onnx_passed", passed, "cases");
  report("m3.onnx_failures", failed, "cases");
  report("m3.onnx_left", static_cast<double>(cases.size() - tried), "cases");
  return 0;
}

}  // namespace
}  // namespace sluice::gpu_suite

int main(int count, char** words) {
  return sluice::gpu_suite::main_of(count, words, sluice::gpu_suite::run);
}
