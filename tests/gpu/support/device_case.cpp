#include "tests/gpu/support/device_case.h"

#include "sluice/core/cuda_status.h"

#include "tests/gpu/support/rig.h"
#include "tests/support/cuda/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>

namespace sluice::gpu_suite {
namespace {

// Of the process: a case knows no device.
struct CaseDevice {
  Rig rig;
  std::optional<Queue> queue;
  sluice_cuda_lane* lane = nullptr;
  std::map<std::string, double> errors;
};
CaseDevice& case_device() {
  static CaseDevice device;
  return device;
}

bool is_product(int kind) {
  return kind == SLUICE_CUDA_OP_CONV || kind == SLUICE_CUDA_OP_CONV_TRANSPOSE ||
         kind == SLUICE_CUDA_OP_MATMUL || kind == SLUICE_CUDA_OP_ATTENTION;
}

// Blocks on the device. What a block's elements do not cover goes there and back as well, so that
// the case sees a byte that an operator should not have written.
class Blocks {
 public:
  explicit Blocks(std::vector<cuda::Block>& blocks) : blocks_(blocks) {}

  Status upload() {
    Device& device = *case_device().rig.device;
    for (cuda::Block& block : blocks_) {
      const std::size_t bytes = block.size_bytes();
      Result<Buffer> buffer =
          device.allocate(device.memory(), std::max<std::size_t>(bytes, 1), nullptr);
      if (!buffer) return buffer.status();
      if (bytes > 0) {
        const Status status =
            device.upload({*buffer, 0, bytes}, static_cast<const std::byte*>(block.pointer()));
        if (!status.is_ok()) return status;
      }
      buffers_.push_back(std::move(*buffer));
    }
    return Status::ok();
  }

  Status download() {
    CaseDevice& on = case_device();
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const std::size_t bytes = blocks_[i].size_bytes();
      if (bytes == 0) continue;
      const Result<Buffer> pinned = on.rig.device->allocate(MemoryKind::kPinned, bytes, nullptr);
      if (!pinned) return pinned.status();
      Status status = on.queue->stream().copy({buffers_[i], 0, bytes}, {*pinned, 0, bytes});
      if (status.is_ok()) status = on.queue->wait();
      if (!status.is_ok()) return status;
      std::memcpy(blocks_[i].pointer(), pinned->data(), bytes);
    }
    return Status::ok();
  }

  std::byte* at(std::size_t i) const { return buffers_[i].data(); }

 private:
  std::vector<cuda::Block>& blocks_;
  std::vector<Buffer> buffers_;
};

Status run_compiled(cuda::Case& test, sluice_cuda_compiled* compiled) {
  CaseDevice& on = case_device();
  Blocks inputs(test.inputs), outputs(test.outputs);
  Status status = inputs.upload();
  if (status.is_ok()) status = outputs.upload();
  if (!status.is_ok()) return status;
  std::vector<const void*> from;
  std::vector<void*> to;
  for (std::size_t i = 0; i < test.inputs.size(); ++i) from.push_back(inputs.at(i));
  for (std::size_t i = 0; i < test.outputs.size(); ++i) to.push_back(outputs.at(i));
  const sluice_cuda_api& api = *on.rig.device->operators();
  status = on.queue->launch([&](CUstream_st* stream) {
    return cuda_status(api, api.run(compiled, stream, from.data(), to.data()));
  });
  if (status.is_ok()) status = on.queue->wait();
  return status.is_ok() ? outputs.download() : status;
}

void note_errors(const cuda::Case& test) {
  if (!is_product(test.op.kind)) return;
  const auto expected = cuda::reference(test);
  for (std::size_t i = 0; i < test.outputs.size(); ++i) {
    const cuda::Block& block = test.outputs[i];
    double difference = 0, norm = 0;
    for (std::int64_t k = 0; k < block.count(); ++k) {
      const double right = expected[i][static_cast<std::size_t>(k)];
      difference += std::pow(block.get(k) - right, 2);
      norm += right * right;
    }
    if (norm == 0) continue;
    double& most = case_device().errors[cuda::name_of(block.view().type)];
    most = std::max(most, std::sqrt(difference / norm));
  }
}

}  // namespace

std::string open_case_device(const std::string& device, bool allow_tf32) {
  Result<Rig> rig = open_rig(device);
  if (!rig) return rig.status().message();
  CaseDevice& on = case_device();
  on.rig = std::move(*rig);
  Result<Queue> queue = Queue::open(*on.rig.device);
  if (!queue) return queue.status().message();
  on.queue = std::move(*queue);
  sluice_cuda_lane_options options{};
  options.workspace_bytes = std::uint64_t{32} << 20;
  options.allow_tf32 = allow_tf32 ? 1 : 0;
  const sluice_cuda_api& api = *on.rig.device->operators();
  return cuda_status(api, api.lane_create(on.rig.device->ordinal(), &options, &on.lane)).message();
}

const std::map<std::string, double>& case_errors() { return case_device().errors; }

}  // namespace sluice::gpu_suite

namespace sluice::cuda {

// `name` is of a kernel of ours; a library may be chosen here in its place.
std::string run_case(Case& test, const char*) {
  gpu_suite::CaseDevice& on = gpu_suite::case_device();
  const sluice_cuda_api& api = *on.rig.device->operators();
  sluice_cuda_compiled* compiled = nullptr;
  Status status = cuda_status(api, api.compile(on.lane, &test.op, &compiled));
  if (!status.is_ok()) return status.message();
  const std::string chosen = api.compiled_name(compiled);
  status = gpu_suite::run_compiled(test, compiled);
  api.compiled_destroy(compiled);
  if (!status.is_ok()) return chosen + ": " + status.message();
  gpu_suite::note_errors(test);
  return {};
}

}  // namespace sluice::cuda
