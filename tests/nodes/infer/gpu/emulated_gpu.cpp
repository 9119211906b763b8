#include "tests/nodes/infer/gpu/emulated_gpu.h"

#ifdef SLUICE_EMULATED_CUDA

#include "sluice/nodes/infer/gpu/gpu_program.h"
#include "sluice/nodes/infer/native/native_model.h"

#include "tests/support/cuda/emulated_operators.h"

#include <utility>
#include <vector>

namespace sluice::testing {
namespace {

class EmulatedGpu final : public Device {
 public:
  std::string name() const override { return "emulated"; }
  MemoryKind memory() const override { return MemoryKind::kHost; }
  Result<Buffer> allocate(MemoryKind, std::size_t size_bytes,
                          const std::shared_ptr<MemoryBudget>& budget) override {
    return Buffer::allocate(size_bytes, budget);
  }
  Result<std::unique_ptr<Stream>> new_stream() override { return host_device().new_stream(); }
  Result<std::unique_ptr<Event>> new_event() override { return host_device().new_event(); }
  Status failure() const override { return Status::ok(); }
  const sluice_cuda_api* operators() const override { return &cuda::emulated_operators(); }
};

class ProgramSession final : public Session {
 public:
  ProgramSession(std::shared_ptr<DeviceProgram> program, int runs)
      : program_(std::move(program)), runs_(runs) {}

  Result<std::span<Tensor>> run(std::span<const Tensor> inputs,
                                const std::shared_ptr<MemoryBudget>& budget) override {
    Result<DeviceProgram::Plan> plan = program_->plan(inputs);
    if (!plan) return plan.status();
    outputs_.clear();
    for (const TensorSpec& output : plan->outputs) {
      Result<Tensor> made = Tensor::allocate(output.dtype, output.shape, budget);
      if (!made) return made.status();
      outputs_.push_back(std::move(*made));
    }
    const Result<Buffer> arena = Buffer::allocate(plan->arena_bytes);
    if (!arena) return arena.status();
    for (int i = 0; i < runs_; ++i) {
      for (const Tensor& output : outputs_) std::fill_n(output.raw(), output.size_bytes(), kStale);
      std::fill_n(arena->data(), plan->arena_bytes, kStale);
      const Status status = program_->run(
          {nullptr, inputs, outputs_, {*arena, 0, plan->arena_bytes}, plan->prepared});
      if (!status.is_ok()) return status;
    }
    return std::span(outputs_);
  }

 private:
  static constexpr std::byte kStale{0xFF};  // a NaN in every float type

  const std::shared_ptr<DeviceProgram> program_;
  const int runs_;
  std::vector<Tensor> outputs_;
};

class ProgramModel final : public Model {
 public:
  ProgramModel(std::shared_ptr<const Model> native, gpu::Arithmetic arithmetic, int runs)
      : native_(std::move(native)),
        gpu_(std::make_shared<gpu::GpuModel>(graph_of(native_), emulated_gpu(), arithmetic)),
        runs_(runs) {}

  const std::vector<ModelPort>& inputs() const override { return native_->inputs(); }
  const std::vector<ModelPort>& outputs() const override { return native_->outputs(); }
  const std::map<std::string, std::string>& metadata() const override {
    return native_->metadata();
  }
  std::string_view backend() const override { return "emulated_gpu"; }
  std::size_t weight_bytes() const override { return native_->weight_bytes(); }
  Result<std::vector<Shape>> output_shapes(std::span<const Shape> inputs) const override {
    return native_->output_shapes(inputs);
  }
  Result<std::unique_ptr<Session>> new_session() const override {
    Result<std::shared_ptr<DeviceProgram>> program = gpu::GpuProgram::create(gpu_, "model", "");
    if (!program) return program.status();
    return std::unique_ptr<Session>(std::make_unique<ProgramSession>(std::move(*program), runs_));
  }

 private:
  const std::shared_ptr<const Model> native_;
  const std::shared_ptr<gpu::GpuModel> gpu_;
  const int runs_;
};

}  // namespace

std::shared_ptr<Device> emulated_gpu() { return std::make_shared<EmulatedGpu>(); }

std::shared_ptr<const graph::Graph> graph_of(std::shared_ptr<const Model> native) {
  const auto model = std::static_pointer_cast<const native::NativeModel>(std::move(native));
  return {model, &model->graph()};
}

Result<std::shared_ptr<const Model>> EmulatedGpuBackend::load(const std::string& path,
                                                              const ModelOptions& options) const {
  Result<std::shared_ptr<const Model>> native = find_backend("native")->load(path, options);
  if (!native) return native;
  return std::shared_ptr<const Model>(
      std::make_shared<ProgramModel>(std::move(*native), arithmetic_, runs_));
}

}  // namespace sluice::testing

#endif
