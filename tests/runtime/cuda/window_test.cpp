#include "tests/support/cuda/case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace sluice::cuda {
namespace {

int any_float(Dice& dice) {
  return dice.of<int>({SLUICE_CUDA_F32, SLUICE_CUDA_F16, SLUICE_CUDA_BF16});
}

sluice_cuda_view any_image(int type, const Extents& dims, Dice& dice) {
  switch (dice.whole(0, 2)) {
    case 0:
      return dense(type, dims);
    case 1:
      return channels_last(type, dims);
    default:
      return scattered(type, dims, dice);
  }
}

sluice_cuda_window any_window(int axes, Dice& dice) {
  sluice_cuda_window window{};
  window.axes = axes;
  for (int axis = 0; axis < axes; ++axis) {
    window.kernel[axis] = dice.whole(1, 3);
    window.stride[axis] = dice.whole(1, 3);
    window.dilation[axis] = dice.whole(1, 2);
    // Less than the window's reach, so that every window has an element.
    window.pad_begin[axis] = dice.whole(0, window.kernel[axis] - 1);
    window.pad_end[axis] = dice.whole(0, window.kernel[axis] - 1);
  }
  return window;
}

Case pool_of(const Extents& outer, bool average, Dice& dice) {
  const int axes = static_cast<int>(dice.whole(1, 3));
  Case test;
  test.op.kind = SLUICE_CUDA_OP_POOL;
  test.op.inputs = test.op.outputs = 1;
  auto& pool = test.op.as.pool;
  pool.average = average;
  pool.count_include_pad = dice.once_in(2);
  pool.window = any_window(axes, dice);
  Extents x = outer, y = outer;
  for (int axis = 0; axis < axes; ++axis) {
    const auto& w = pool.window;
    x.push_back(dice.whole(5, 8));
    const std::int64_t reach = (w.kernel[axis] - 1) * w.dilation[axis] + 1;
    const std::int64_t room = x.back() + w.pad_begin[axis] + w.pad_end[axis] - reach;
    // One more, as where extents are rounded up, if the last window still has an element.
    const std::int64_t more =
        (room / w.stride[axis] + 1) * w.stride[axis] < x.back() + w.pad_begin[axis] ? 1 : 0;
    y.push_back(room / w.stride[axis] + 1 + more * dice.whole(0, 1));
  }
  test.op.in[0] = any_image(any_float(dice), x, dice);
  test.op.out[0] = any_image(any_float(dice), y, dice);
  if (!average && dice.once_in(2)) {
    test.op.out[1] = any_image(SLUICE_CUDA_I64, y, dice);
    test.op.outputs = 2;
  }
  test.make(dice);
  if (!average && dice.once_in(3)) test.inputs[0].set(test.inputs[0].count() / 2, NAN);
  return test;
}

TEST(CudaPool, SlidesMaximaAndAveragesWithTheirPlaces) {
  Dice dice(1);
  for (int round = 0; round < 200; ++round) {
    Case test = pool_of({dice.whole(1, 2), dice.whole(1, 5)}, dice.once_in(2), dice);
    ASSERT_EQ(test.check("kernel pool"), "") << round;
  }
}

TEST(CudaPool, TakesPacksOfChannels) {
  Dice dice(2);
  for (int round = 0; round < 100; ++round) {
    Case test = pool_of({dice.whole(1, 2), 8 * dice.whole(1, 3)}, dice.once_in(2), dice);
    ASSERT_EQ(test.check("kernel pool"), "") << round;
  }
}

TEST(CudaConvTranspose, ScattersAnyWindow) {
  Dice dice(3);
  for (int round = 0; round < 120; ++round) {
    const int axes = static_cast<int>(dice.whole(1, 3));
    Case test;
    test.op.kind = SLUICE_CUDA_OP_CONV_TRANSPOSE;
    auto& conv = test.op.as.conv;
    conv.window = any_window(axes, dice);
    conv.group = dice.whole(1, 3);
    conv.has_bias = dice.once_in(2);
    conv.activation = {dice.of<int>({-1, SLUICE_CUDA_TANH}), 0, 0, 1, 0};
    conv.after.function = -1;
    const std::int64_t inputs = conv.group * dice.whole(1, 4), outputs = dice.whole(1, 4);
    Extents x = {dice.whole(1, 2), inputs}, w = {inputs, outputs};
    Extents y = {x[0], conv.group * outputs};
    for (int axis = 0; axis < axes; ++axis) {
      const auto& window = conv.window;
      x.push_back(dice.whole(1, 4));
      w.push_back(window.kernel[axis]);
      const std::int64_t full = (x.back() - 1) * window.stride[axis] +
                                (window.kernel[axis] - 1) * window.dilation[axis] + 1;
      y.push_back(std::max<std::int64_t>(full - window.pad_begin[axis] + dice.whole(-1, 1), 1));
    }
    const int type = any_float(dice);
    test.op.in[test.op.inputs++] = any_image(type, x, dice);
    test.op.in[test.op.inputs++] = any_image(type, w, dice);
    if (conv.has_bias) test.op.in[test.op.inputs++] = dense(SLUICE_CUDA_F32, {y[1]});
    test.op.out[test.op.outputs++] = any_image(any_float(dice), y, dice);
    test.make(dice, -1, 1);
    ASSERT_EQ(test.check("kernel conv transpose"), "") << round;
  }
}

TEST(CudaLrn, SumsTheSquaresOfTheChannelsAround) {
  Dice dice(4);
  for (int round = 0; round < 100; ++round) {
    Case test;
    test.op.kind = SLUICE_CUDA_OP_LRN;
    test.op.inputs = test.op.outputs = 1;
    test.op.as.lrn = {dice.whole(1, 6), 0.5f, 0.75f, 1.0f};
    Extents dims = {dice.whole(1, 3), dice.whole(1, 12)};
    for (std::int64_t axes = dice.whole(0, 3); axes > 0; --axes) dims.push_back(dice.whole(1, 4));
    test.op.in[0] = any_image(any_float(dice), dims, dice);
    test.op.out[0] = any_image(any_float(dice), dims, dice);
    test.make(dice);
    ASSERT_EQ(test.check("kernel lrn"), "") << round;
  }
}

TEST(CudaResize, WeighsTheTapsOfEveryAxis) {
  Dice dice(5);
  for (int round = 0; round < 200; ++round) {
    Case test;
    test.op.kind = SLUICE_CUDA_OP_RESIZE;
    test.op.inputs = 3;
    test.op.outputs = 1;
    auto& resize = test.op.as.resize;
    resize.outside = 1.5f;
    Extents in, out, edges;
    const std::int64_t rank = dice.whole(1, 4);
    std::int64_t entries = 0;
    for (std::int64_t axis = 0; axis < rank; ++axis) {
      const bool packs = axis == rank - 1 && dice.once_in(2);
      resize.taps[axis] = packs ? 0 : static_cast<int>(dice.whole(0, 3));
      in.push_back(packs ? 8 * dice.whole(1, 2) : dice.whole(1, 5));
      out.push_back(resize.taps[axis] > 0 ? dice.whole(1, 5) : in.back());
      for (std::int64_t i = 0; i < out.back() * resize.taps[axis]; ++i) edges.push_back(in.back());
      entries += out.back() * resize.taps[axis];
    }
    const bool plain = dice.once_in(2);
    test.op.in[0] = plain ? dense(any_float(dice), in) : scattered(any_float(dice), in, dice);
    test.op.in[1] = scattered(SLUICE_CUDA_I32, {entries}, dice);
    test.op.in[2] = scattered(SLUICE_CUDA_F32, {entries}, dice);
    test.op.out[0] = plain ? dense(any_float(dice), out) : scattered(any_float(dice), out, dice);
    test.make(dice, -1, 1);
    for (std::int64_t i = 0; i < entries; ++i)
      test.inputs[1].set(
          i, static_cast<double>(dice.whole(-1, edges[static_cast<std::size_t>(i)] - 1)));
    ASSERT_EQ(test.check("kernel resize"), "") << round;
  }
}

TEST(CudaImage, ScalesPicturesPlainlyAndWithAWideFilter) {
  Dice dice(6);
  for (int round = 0; round < 120; ++round) {
    Case test;
    test.op.kind = SLUICE_CUDA_OP_IMAGE;
    test.op.inputs = test.op.outputs = 1;
    auto& image = test.op.as.image;
    image.antialias = dice.once_in(2);
    image.reverse_channels = dice.once_in(2);
    const std::int64_t channels = dice.of<std::int64_t>({1, 3});
    const Extents in = {dice.whole(1, 2), dice.whole(1, 30), dice.whole(1, 30), channels};
    const Extents out = {in[0], channels + dice.of<std::int64_t>({0, 5}), dice.whole(1, 12),
                         dice.whole(1, 12)};
    for (int c = 0; c < 4; ++c) {
      image.scale[c] = 0.25f * static_cast<float>(c + 1);
      image.shift[c] = static_cast<float>(c) - 1.5f;
    }
    test.op.in[0] =
        dice.once_in(2) ? dense(SLUICE_CUDA_U8, in) : scattered(SLUICE_CUDA_U8, in, dice);
    test.op.out[0] = any_image(any_float(dice), out, dice);
    test.make(dice);
    for (std::int64_t i = 0; i < test.inputs[0].count(); ++i)
      test.inputs[0].set(i, static_cast<double>(dice.whole(0, 255)));
    ASSERT_EQ(test.check("kernel image"), "") << round;
  }
}

}  // namespace
}  // namespace sluice::cuda
