#include "tests/support/cuda/case.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::cuda {
namespace {

std::int64_t extent_of(std::int64_t input, const sluice_cuda_window& window, int axis) {
  const std::int64_t reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
  return (input + window.pad_begin[axis] + window.pad_end[axis] - reach) / window.stride[axis] + 1;
}

sluice_cuda_window window_of(int axes, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                             std::int64_t dilation = 1) {
  sluice_cuda_window window{};
  window.axes = axes;
  for (int axis = 0; axis < axes; ++axis) {
    window.kernel[axis] = kernel;
    window.stride[axis] = stride;
    window.pad_begin[axis] = window.pad_end[axis] = pad;
    window.dilation[axis] = dilation;
  }
  return window;
}

struct Layer {
  int type;
  std::int64_t group, group_inputs, group_outputs;
  sluice_cuda_window window;
  Extents input;  // spatial
  bool last, bias, residual;
};

Case conv_of(const Layer& layer, Dice& dice) {
  Case test;
  test.op.kind = SLUICE_CUDA_OP_CONV;
  auto& settings = test.op.as.conv;
  settings.window = layer.window;
  settings.group = layer.group;
  settings.has_bias = layer.bias;
  settings.has_residual = layer.residual;
  settings.activation = {dice.of<int>({-1, SLUICE_CUDA_SILU}), 0, 0, 1, 0};
  settings.after = {layer.residual ? SLUICE_CUDA_RELU : -1, 0, 0, 1, 0};
  Extents x = {2, layer.group * layer.group_inputs}, y = {2, layer.group * layer.group_outputs};
  Extents w = {y[1], layer.group_inputs};
  for (int axis = 0; axis < layer.window.axes; ++axis) {
    const std::int64_t input = layer.input[static_cast<std::size_t>(axis)];
    x.push_back(input);
    w.push_back(layer.window.kernel[axis]);
    y.push_back(extent_of(input, layer.window, axis));
  }
  const auto image = layer.last ? channels_last : dense;
  test.op.in[test.op.inputs++] = image(layer.type, x);
  test.op.in[test.op.inputs++] =
      dice.once_in(2) ? dense(layer.type, w) : channels_last(layer.type, w);
  if (layer.bias)
    test.op.in[test.op.inputs++] = dense(dice.of<int>({SLUICE_CUDA_F32, layer.type}), {y[1]});
  if (layer.residual) test.op.in[test.op.inputs++] = image(layer.type, y);
  test.op.out[test.op.outputs++] = image(layer.type, y);
  test.make(dice, -1, 1);
  return test;
}

TEST(CudaConv, SlidesAnyWindowOverImagesOfEitherOrder) {
  Dice dice(1);
  for (int round = 0; round < 150; ++round) {
    const int axes = static_cast<int>(dice.whole(1, 3));
    Layer layer{
        dice.of<int>({SLUICE_CUDA_F32, SLUICE_CUDA_F16, SLUICE_CUDA_BF16}),
        dice.whole(1, 3),
        dice.whole(1, 5),
        dice.whole(1, 4),
        window_of(axes, dice.whole(1, 3), dice.whole(1, 3), dice.whole(0, 2), dice.whole(1, 2)),
        {dice.whole(5, 8), dice.whole(5, 8), dice.whole(5, 8)},
        dice.once_in(2),
        dice.once_in(2),
        dice.once_in(2)};
    Case test = conv_of(layer, dice);
    ASSERT_EQ(test.check(), "") << round;
  }
}

TEST(CudaConv, HasAKernelForDepthwiseFiltersOfPackedChannels) {
  Dice dice(2);
  for (int round = 0; round < 80; ++round) {
    const std::int64_t size = dice.of<std::int64_t>({3, 5});
    Layer layer{dice.of<int>({SLUICE_CUDA_F32, SLUICE_CUDA_F16, SLUICE_CUDA_BF16}),
                8 * dice.whole(1, 3),
                1,
                1,
                window_of(2, size, dice.whole(1, 2), dice.whole(0, size - 1)),
                {dice.whole(5, 12), dice.whole(5, 12)},
                true,
                dice.once_in(2),
                dice.once_in(2)};
    Case test = conv_of(layer, dice);
    ASSERT_EQ(test.check("kernel depthwise"), "") << round;
  }
}

TEST(CudaConv, TakesDepthwiseImagesThatAreNotAligned) {
  Dice dice(3);
  Layer layer{SLUICE_CUDA_F16, 16, 1, 1, window_of(2, 3, 1, 1), {6, 7}, true, true, false};
  Case test = conv_of(layer, dice);
  test.inputs.clear();
  test.outputs.clear();
  test.op.in[0].offset = 1;
  test.make(dice);

  EXPECT_EQ(test.check("kernel depthwise"), "");
}

}  // namespace
}  // namespace sluice::cuda
