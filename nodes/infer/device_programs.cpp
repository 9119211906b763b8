#include "sluice/nodes/infer/device_programs.h"

#include "sluice/nodes/infer/gpu/gpu_program.h"
#include "sluice/nodes/infer/gpu/precision_check.h"
#include "sluice/nodes/infer/gpu/run_once.h"
#include "sluice/nodes/infer/native/native_model.h"
#include "sluice/nodes/infer/session_program.h"
#include "sluice/nodes/infer/user_cache.h"

#include <cassert>
#include <cstdio>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

using gpu::Arithmetic;
using gpu::GpuModel;

// Where the lanes keep which algorithms were the fastest; empty for nowhere.
std::string cache_folder() {
  const auto cache = user_cache();
  return cache.empty() ? std::string() : (cache / "cuda").string();
}

struct Chosen {
  std::shared_ptr<GpuModel> model;
  std::string arithmetic;
};

Result<Chosen> choose(const std::shared_ptr<const native::NativeModel>& model, Device& device,
                      std::string_view precision) {
  const std::shared_ptr<const graph::Graph> graph(model, &model->graph());
  const auto in = [&](Arithmetic arithmetic) {
    return std::make_shared<GpuModel>(graph, device.shared_from_this(), arithmetic);
  };
  if (precision != "auto") {
    const Arithmetic asked = precision == "fp32"   ? Arithmetic::kFp32
                             : precision == "tf32" ? Arithmetic::kTf32
                             : precision == "fp16" ? Arithmetic::kFp16
                                                   : Arithmetic::kBf16;
    return Chosen{in(asked), std::string(to_string(asked))};
  }
  std::shared_ptr<GpuModel> half = in(Arithmetic::kFp16);
  const Result<gpu::PrecisionCheck> check = gpu::check_precision(*model, half);
  if (!check) return check.status();
  if (!check->error)
    return Chosen{in(Arithmetic::kTf32), "tf32 (fp16 was not tried: " + check->why + ")"};
  char error[32];
  std::snprintf(error, sizeof error, "%.2g", *check->error);
  if (*check->error > gpu::kLargestError) {
    return Chosen{in(Arithmetic::kTf32),
                  std::string("tf32 (fp16 is ") + error + " from fp32 on the CPU)"};
  }
  return Chosen{std::move(half), std::string("fp16 (") + error + " from fp32 on the CPU)"};
}

// Runs it once, of zeros.
Status warm_up(Device& device, DeviceProgram& program, const Model& model,
               const ExpectedRun& expected) {
  if (expected.inputs.empty()) return Status::ok();
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < expected.inputs.size(); ++i) {
    Result<Tensor> zeros = Tensor::allocate(model.inputs()[i].dtype, expected.inputs[i]);
    if (!zeros) return zeros.status();
    std::memset(zeros->raw(), 0, zeros->size_bytes());
    inputs.push_back(std::move(*zeros));
  }
  return gpu::run_once(device, program, inputs)
      .status()
      .with_context("trying `" + std::string(program.name()) + "` on " + device.name());
}

}  // namespace

Result<DevicePrograms> make_device_programs(const std::shared_ptr<const Model>& model,
                                            const std::string& name, Device& device,
                                            std::string_view precision, std::size_t lanes,
                                            const ExpectedRun& expected) {
  DevicePrograms made;
  Chosen chosen;
  if (device.operators() != nullptr) {
    assert(model->backend() == "native");
    auto native = std::static_pointer_cast<const native::NativeModel>(model);
    Result<Chosen> found = choose(native, device, precision);
    if (!found) return found.status();
    chosen = std::move(*found);
    made.arithmetic = chosen.arithmetic;
  }
  for (std::size_t i = 0; i < lanes; ++i) {
    Result<std::shared_ptr<DeviceProgram>> program =
        chosen.model ? gpu::GpuProgram::create(chosen.model, name, cache_folder())
                     : SessionProgram::create(model, name);
    if (!program) return program.status();
    if (chosen.model) {
      Status status = warm_up(device, **program, *model, expected);
      if (!status.is_ok()) return status;
    }
    made.programs.push_back(std::move(*program));
  }
  return made;
}

}  // namespace sluice
