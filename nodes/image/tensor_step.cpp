#include "sluice/nodes/image/tensor_step.h"

#include "sluice/nodes/infer/gpu/view.h"

#include <array>
#include <cstdint>

namespace sluice {
namespace {

// Of the axes of pictures' pixels.
constexpr std::size_t kHeight = 1, kWidth = 2, kChannels = 3;

constexpr std::int64_t kColours = 3;

// Three colours, wherever they lie: grey is all three of them, and an alpha is passed over.
gpu::View colours_of(const Shape& pixels) {
  gpu::View view = gpu::dense(SLUICE_CUDA_U8, pixels.dims());
  view.dims[kChannels] = kColours;
  if (pixels[kChannels] == 1) view.strides[kChannels] = 0;
  return view;
}

}  // namespace

Tensor pixels_of(const Image& picture) {
  return Tensor(DType::kU8, {picture.height(), picture.width(), picture.channels()},
                picture.buffer());
}

Result<Placement> TensorStep::placed(const Shape& pixels) const {
  return place(recipe_, static_cast<int>(pixels[kWidth]), static_cast<int>(pixels[kHeight]));
}

Result<gpu::GpuPlan> TensorStep::plan(std::span<const Tensor> inputs) const {
  const Shape& pixels = inputs[0].shape();
  const Result<Placement> placed = this->placed(pixels);
  if (!placed) return placed.status();
  const std::array<std::int64_t, 4> dims{pixels[0], kColours, placed->height, placed->width};
  sluice_cuda_op op{};
  op.kind = SLUICE_CUDA_OP_IMAGE;
  op.inputs = op.outputs = 1;
  op.in[0] = colours_of(pixels);
  op.out[0] = recipe_.is_planar ? gpu::dense(SLUICE_CUDA_F32, dims)
                                : gpu::channels_last(SLUICE_CUDA_F32, dims);
  op.as.image.antialias = recipe_.filter == Filter::kAntialias ? 1 : 0;
  op.as.image.reverse_channels = recipe_.colours == Colours::kBgr ? 1 : 0;
  for (std::size_t c = 0; c < recipe_.scales.size(); ++c) {
    op.as.image.scale[c] = recipe_.scales[c].factor;
    op.as.image.shift[c] = recipe_.scales[c].bias;
  }
  Shape tensors{pixels[0]};
  for (const std::int64_t extent : shape_of(recipe_, *placed)) tensors.push_back(extent);
  return gpu::plan_of(op, {{DType::kF32, tensors}}, "image.to_tensor");
}

Status TensorStep::compute(std::span<const Tensor> inputs, std::span<const Tensor> outputs) const {
  const Shape& pixels = inputs[0].shape();
  const Result<Placement> placed = this->placed(pixels);
  if (!placed) return placed.status();
  const auto row_bytes = pixels[kWidth] * pixels[kChannels];
  for (std::int64_t i = 0; i < pixels[0]; ++i) {
    const std::uint8_t* const picture =
        inputs[0].data<std::uint8_t>() + i * pixels[kHeight] * row_bytes;
    const RowSource source{static_cast<int>(pixels[kWidth]), static_cast<int>(pixels[kHeight]),
                           static_cast<int>(pixels[kChannels]),
                           [&](int y) { return picture + y * row_bytes; }};
    fill_from_rows(recipe_, *placed, source, outputs[0].row(i));
  }
  return Status::ok();
}

}  // namespace sluice
