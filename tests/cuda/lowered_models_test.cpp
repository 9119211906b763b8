#include "sluice/core/model.h"
#include "sluice/nodes/infer/gpu/gpu_model.h"
#include "sluice/nodes/infer/native/native_model.h"
#include "sluice/runtime/cuda/lane_api.h"

#include "tests/cuda/plans.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <tuple>

// Every product, convolution and attention that trained models are lowered to has a plan of a
// library's.

namespace sluice::cuda {
namespace {

namespace fs = std::filesystem;
using testing::Device;

struct TrainedModel {
  const char* file;
  Shape input;
};
void PrintTo(const TrainedModel& model, std::ostream* out) { *out << model.file; }

class LoweredModels : public ::testing::TestWithParam<std::tuple<TrainedModel, Device>> {};

std::shared_ptr<const gpu::GpuPlan> lowered(const fs::path& path, const Shape& input,
                                            gpu::Arithmetic arithmetic) {
  const auto model = find_backend("native")->load(path, {});
  EXPECT_TRUE(model) << model.status().message();
  const auto native = std::static_pointer_cast<const native::NativeModel>(*model);
  // Memory of the host's is good enough for a plan.
  const std::shared_ptr<sluice::Device> host(std::shared_ptr<void>(), &host_device());
  gpu::GpuModel gpu({native, &native->graph()}, host, arithmetic);
  const auto plan = gpu.plan_for(std::vector{*Tensor::allocate(DType::kF32, input)});
  EXPECT_TRUE(plan) << plan.status().message();
  return *plan;
}

// Convolutions of one channel a group, or to one channel alone, are our own kernels': they have too
// little to compute for tensor cores.
bool is_for_libraries(const sluice_cuda_op& op) {
  if (op.kind == SLUICE_CUDA_OP_CONV || op.kind == SLUICE_CUDA_OP_CONV_TRANSPOSE) {
    return op.as.conv.group == 1 && op.out[0].dims[1] > 1;
  }
  return op.kind == SLUICE_CUDA_OP_MATMUL || op.kind == SLUICE_CUDA_OP_ATTENTION;
}

TEST_P(LoweredModels, HavePlansOfLibrariesForWhatIsHeavy) {
  const auto& [model, device] = GetParam();
  const fs::path path = fs::path(SLUICE_SOURCE_DIR) / "examples/ocr/models" / model.file;
  if (!fs::exists(path)) GTEST_SKIP() << "examples/ocr/fetch_models.sh gets " << path;
  if (!testing::has_driver_library()) GTEST_SKIP() << "cuDNN wants a driver's library, or a stub";
  sluice_cuda_api api{};
  add_operators(api);
  std::ifstream file(fs::path(SLUICE_SOURCE_DIR) / "tests/gpu/devices" / device.file);
  const std::string properties{std::istreambuf_iterator<char>(file), {}};
  sluice_cuda_lane_options options{};
  options.workspace_bytes = std::uint64_t{32} << 20;
  options.allow_tf32 = 1;

  std::set<std::string> seen;
  const auto plan = lowered(path, model.input, gpu::Arithmetic::kFp16);
  for (const gpu::Step& step : plan->steps) {
    const bool is_new =
        seen.emplace(reinterpret_cast<const char*>(&step.op), sizeof step.op).second;
    if (!is_new || !is_for_libraries(step.op)) continue;
    char name[256] = "";
    const int result = api.check(properties.c_str(), &options, &step.op, name, sizeof name);
    EXPECT_EQ(result, SLUICE_CUDA_OK) << step.origin << ": " << api.last_error();
    EXPECT_NE(std::string(name).substr(0, 6), "kernel") << step.origin << ": " << name;
  }
  EXPECT_FALSE(seen.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Ocr, LoweredModels,
    ::testing::Combine(
        ::testing::Values(TrainedModel{"PP-OCRv6_det_small.onnx", {1, 3, 960, 704}},
                          TrainedModel{"PP-OCRv6_rec_small.onnx", {8, 3, 48, 320}},
                          TrainedModel{"ch_PP-OCRv4_det_infer.onnx", {1, 3, 960, 704}},
                          TrainedModel{"ch_PP-OCRv4_rec_infer.onnx", {8, 3, 48, 320}}),
        ::testing::Values(testing::kA100, testing::kH200)));

}  // namespace
}  // namespace sluice::cuda
