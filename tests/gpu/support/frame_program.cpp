#include "tests/gpu/support/frame_program.h"

#include "sluice/core/cuda_status.h"

#include <utility>

namespace sluice::gpu_suite {
namespace {

sluice_cuda_view dense(sluice_cuda_type type, const Shape& shape) {
  sluice_cuda_view view{};
  view.type = type;
  view.rank = static_cast<std::int32_t>(shape.rank());
  const Shape strides = row_major_strides(shape);
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    view.dims[axis] = shape[axis];
    view.strides[axis] = strides[axis];
  }
  return view;
}

// x / 127.5 - 1, in the order of the channels that the frames have.
sluice_cuda_op image_op(const Shape& frames, const Shape& images) {
  sluice_cuda_op op{};
  op.kind = SLUICE_CUDA_OP_IMAGE;
  op.inputs = op.outputs = 1;
  op.in[0] = dense(SLUICE_CUDA_U8, frames);
  op.out[0] = dense(SLUICE_CUDA_F32, images);
  for (int channel = 0; channel < 4; ++channel) {
    op.as.image.scale[channel] = 1 / 127.5F;
    op.as.image.shift[channel] = -1;
  }
  return op;
}

}  // namespace

// The network's plan, and where in the arena its input is: behind its own.
struct FrameProgram::Prepared {
  Plan network;
  Shape images;
  std::size_t images_at = 0;
};

Result<std::shared_ptr<DeviceProgram>> FrameProgram::create(Device& device,
                                                            std::shared_ptr<DeviceProgram> network,
                                                            std::int64_t size) {
  std::shared_ptr<FrameProgram> program(new FrameProgram(device, std::move(network), size));
  const sluice_cuda_api& api = *device.operators();
  const sluice_cuda_lane_options options{};
  const Status status =
      cuda_status(api, api.lane_create(device.ordinal(), &options, &program->lane_));
  if (!status.is_ok()) return status;
  return std::shared_ptr<DeviceProgram>(std::move(program));
}

FrameProgram::~FrameProgram() {
  const sluice_cuda_api& api = *device_.operators();
  for (const auto& [batch, compiled] : compiled_) api.compiled_destroy(compiled);
  if (lane_ != nullptr) api.lane_destroy(lane_);
}

Result<DeviceProgram::Plan> FrameProgram::plan(std::span<const Tensor> inputs) {
  const Shape& frames = inputs[0].shape();
  const std::int64_t batch = frames[0];
  const std::scoped_lock lock(mutex_);
  if (const auto found = plans_.find(batch); found != plans_.end()) return found->second;
  auto prepared = std::make_shared<Prepared>();
  prepared->images = Shape{batch, 3, size_, size_};
  const Result<Tensor> like = Tensor::allocate(DType::kF32, prepared->images);
  if (!like) return like.status();
  Result<Plan> network = network_->plan({&*like, 1});
  if (!network) return network;
  prepared->network = std::move(*network);
  prepared->images_at = (prepared->network.arena_bytes + 255) / 256 * 256;
  const Plan plan{prepared->network.outputs, prepared->images_at + like->size_bytes(), prepared};
  return plans_.emplace(batch, plan).first->second;
}

Result<sluice_cuda_compiled*> FrameProgram::compiled(const Tensor& frames) {
  const std::int64_t batch = frames.shape()[0];
  if (const auto found = compiled_.find(batch); found != compiled_.end()) return found->second;
  const sluice_cuda_api& api = *device_.operators();
  const sluice_cuda_op op = image_op(frames.shape(), Shape{batch, 3, size_, size_});
  sluice_cuda_compiled* made = nullptr;
  const Status status = cuda_status(api, api.compile(lane_, &op, &made));
  if (!status.is_ok()) return status;
  compiled_.emplace(batch, made);
  return made;
}

Status FrameProgram::run(const Run& run) {
  const auto& prepared = *static_cast<const Prepared*>(run.prepared.get());
  const Result<sluice_cuda_compiled*> scaling = compiled(run.inputs[0]);
  if (!scaling) return scaling.status();
  const std::size_t at = run.arena.offset_bytes + prepared.images_at;
  const Tensor images(DType::kF32, prepared.images, run.arena.buffer, at);
  const sluice_cuda_api& api = *device_.operators();
  const void* const input = run.inputs[0].raw();
  void* const output = images.raw();
  const Status status = cuda_status(api, api.run(*scaling, run.stream, &input, &output));
  if (!status.is_ok()) return status;
  return network_->run({run.stream,
                        {&images, 1},
                        run.outputs,
                        {run.arena.buffer, run.arena.offset_bytes, prepared.network.arena_bytes},
                        prepared.network.prepared});
}

}  // namespace sluice::gpu_suite
