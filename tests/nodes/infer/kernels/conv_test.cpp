#include "sluice/nodes/infer/native/kernels/conv.h"

#include "sluice/nodes/infer/native/kernels/cpu.h"

#include "tests/nodes/infer/kernels/conv_reference.h"
#include "tests/nodes/infer/kernels/values.h"

#include <gtest/gtest.h>

#include <optional>

namespace sluice::kernels {
namespace {

using test::activate;
using test::Case;
using test::near;
using test::random_activation;
using test::random_case;
using test::random_floats;
using test::reference;

void expect_matches(const Case& c, unsigned seed) {
  const ConvParams& p = c.params;
  const auto input = random_floats({c.batch, p.in_channels, c.height, c.width}, seed);
  const auto weights =
      random_floats({p.out_channels, p.in_channels / p.groups, p.kernel_h, p.kernel_w}, seed + 1);
  const auto bias = random_floats(c.bias ? p.out_channels : 0, seed + 2);
  const std::int64_t size =
      c.batch * p.out_channels * p.out_height(c.height) * p.out_width(c.width);
  const auto residual = random_floats(c.residual ? size : 0, seed + 3);
  const PackedConv conv(p, weights.data(), c.bias ? bias.data() : nullptr, c.epilogue);
  test::Scratch scratch(conv.scratch_bytes(c.height, c.width));
  std::vector<float> output(static_cast<std::size_t>(size), std::nanf(""));
  if (c.in_place) output = residual;

  conv.run({.input = input.data(),
            .batch = c.batch,
            .height = c.height,
            .width = c.width,
            .residual = !c.residual  ? nullptr
                        : c.in_place ? output.data()
                                     : residual.data(),
            .output = output.data(),
            .scratch = scratch.data()});

  EXPECT_TRUE(scratch.intact());
  // Rounding grows with the number of terms.
  const double absolute =
      1e-5 + 4e-8 * static_cast<double>(p.in_channels / p.groups * p.kernel_h * p.kernel_w);
  EXPECT_TRUE(near(output, reference(c, input, weights, bias, residual), 1e-5, absolute))
      << conv.algorithm() << " in " << p.in_channels << "x" << c.height << "x" << c.width << " out "
      << p.out_channels << " groups " << p.groups << " kernel " << p.kernel_h << "x" << p.kernel_w
      << " stride " << p.stride_h << "x" << p.stride_w << " dilation " << p.dilation_h << "x"
      << p.dilation_w << " pad " << p.pad_top << "," << p.pad_left << "," << p.pad_bottom << ","
      << p.pad_right;
}

TEST(PackedConv, MatchesTheDefinitionOnRandomShapes) {
  std::mt19937 engine(1);
  for (unsigned i = 0; i < 150; ++i) {
    const std::int64_t groups = test::pick(engine, 0, 3) > 0 ? 1 : test::pick(engine, 2, 4);
    const auto c =
        random_case(engine, groups, test::pick(engine, 1, 20), test::pick(engine, 1, 20));
    if (c) expect_matches(*c, i);
  }
}

TEST(PackedConv, MatchesTheDefinitionOnRandomDepthwiseShapes) {
  std::mt19937 engine(2);
  for (unsigned i = 0; i < 120; ++i) {
    const auto c =
        random_case(engine, test::pick(engine, 2, 9), 1, test::pick(engine, 0, 3) > 0 ? 1 : 2);
    if (c) expect_matches(*c, i);
  }
}

TEST(PackedConv, MatchesTheDefinitionForPointwiseConvolutionsOfEveryTail) {
  for (std::int64_t width = 1; width < 40; ++width) {
    Case c;
    c.params.in_channels = 3 + width % 4;
    c.params.out_channels = 1 + width % 14;
    c.height = 1 + width % 3;
    c.width = width;
    expect_matches(c, static_cast<unsigned>(width));
  }
}

TEST(PackedConv, SplitsADeepProductIntoBlocksOfChannels) {
  Case c;
  c.height = 3;
  c.width = 33;
  c.residual = true;
  c.epilogue.activation.kind = ActivationKind::kGelu;
  for (const bool in_place : {false, true}) {
    c.in_place = in_place;
    c.params = {.out_channels = 7, .in_channels = 1300};
    expect_matches(c, 1);
    c.params = {.out_channels = 13,
                .in_channels = 130,
                .kernel_h = 3,
                .kernel_w = 3,
                .pad_top = 1,
                .pad_left = 1,
                .pad_bottom = 1,
                .pad_right = 1};
    expect_matches(c, 2);
  }
}

TEST(PackedConv, SplitsAWideImageIntoStrips) {
  Case c;
  c.params = {.out_channels = 5,
              .in_channels = 70,
              .kernel_h = 3,
              .kernel_w = 3,
              .pad_top = 1,
              .pad_left = 1,
              .pad_bottom = 1,
              .pad_right = 1};
  c.height = 5;
  c.width = 700;
  expect_matches(c, 1);
}

struct TransposeCase {
  ConvTransposeParams params;
  std::int64_t batch = 1, height = 1, width = 1;
  Activation activation;
};

std::vector<double> reference(const TransposeCase& c, const std::vector<float>& input,
                              const std::vector<float>& weights, const std::vector<float>& bias) {
  const ConvTransposeParams& p = c.params;
  const std::int64_t out_height = p.out_height(c.height), out_width = p.out_width(c.width);
  const std::int64_t inputs = p.in_channels / p.groups, outputs = p.out_channels / p.groups;
  std::vector<double> result;
  for (std::int64_t i = 0; i < c.batch * p.out_channels * out_height * out_width; ++i) {
    result.push_back(bias[static_cast<std::size_t>(i / (out_height * out_width) % p.out_channels)]);
  }
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(input.size()); ++i) {
    const std::int64_t x = i % c.width, y = i / c.width % c.height,
                       channel = i / (c.width * c.height) % p.in_channels;
    const std::int64_t n = i / (c.width * c.height * p.in_channels), group = channel / inputs;
    for (std::int64_t k = 0; k < outputs * p.kernel_h * p.kernel_w; ++k) {
      const std::int64_t m = group * outputs + k / (p.kernel_h * p.kernel_w);
      const std::int64_t out_y =
          y * p.stride_h - p.pad_top + k / p.kernel_w % p.kernel_h * p.dilation_h;
      const std::int64_t out_x = x * p.stride_w - p.pad_left + k % p.kernel_w * p.dilation_w;
      if (out_y < 0 || out_y >= out_height || out_x < 0 || out_x >= out_width) continue;
      result[static_cast<std::size_t>(((n * p.out_channels + m) * out_height + out_y) * out_width +
                                      out_x)] +=
          static_cast<double>(input[static_cast<std::size_t>(i)]) *
          weights[static_cast<std::size_t>(channel * outputs * p.kernel_h * p.kernel_w + k)];
    }
  }
  for (double& value : result) value = activate(c.activation, value);
  return result;
}

TEST(PackedConvTranspose, MatchesTheDefinitionOnRandomShapes) {
  std::mt19937 engine(3);
  int tried = 0;
  for (unsigned i = 0; i < 120; ++i) {
    TransposeCase c;
    ConvTransposeParams& p = c.params;
    p.groups = test::pick(engine, 1, 3);
    p.in_channels = p.groups * test::pick(engine, 1, 9);
    p.out_channels = p.groups * test::pick(engine, 1, 5);
    p.stride_h = test::pick(engine, 1, 3);
    p.stride_w = test::pick(engine, 1, 3);
    const bool disjoint = test::pick(engine, 0, 1) > 0;
    p.kernel_h = disjoint ? p.stride_h : test::pick(engine, 1, 5);
    p.kernel_w = disjoint ? p.stride_w : test::pick(engine, 1, 5);
    if (!disjoint) {
      p.dilation_h = test::pick(engine, 1, 2);
      p.dilation_w = test::pick(engine, 1, 2);
      p.pad_top = test::pick(engine, 0, 2);
      p.pad_left = test::pick(engine, 0, 2);
      p.pad_bottom = test::pick(engine, 0, 2);
      p.pad_right = test::pick(engine, 0, 2);
      p.output_pad_h = test::pick(engine, 0, p.stride_h - 1);
      p.output_pad_w = test::pick(engine, 0, p.stride_w - 1);
    }
    c.batch = test::pick(engine, 1, 2);
    c.height = test::pick(engine, 1, 12);
    c.width = test::pick(engine, 1, 40);
    c.activation = random_activation(engine);
    if (p.out_height(c.height) <= 0 || p.out_width(c.width) <= 0) continue;
    ++tried;
    const auto input = random_floats({c.batch, p.in_channels, c.height, c.width}, i);
    const auto weights =
        random_floats({p.in_channels, p.out_channels / p.groups, p.kernel_h, p.kernel_w}, i + 1);
    const auto bias = random_floats(p.out_channels, i + 2);
    const PackedConvTranspose conv(p, weights.data(), bias.data(), c.activation);
    test::Scratch scratch(conv.scratch_bytes(c.height, c.width));
    std::vector<float> output(static_cast<std::size_t>(
        c.batch * p.out_channels * p.out_height(c.height) * p.out_width(c.width)));

    conv.run({.input = input.data(),
              .batch = c.batch,
              .height = c.height,
              .width = c.width,
              .output = output.data(),
              .scratch = scratch.data()});

    EXPECT_TRUE(scratch.intact());
    EXPECT_TRUE(near(output, reference(c, input, weights, bias))) << "case " << i;
  }
  EXPECT_GT(tried, 80);
}

TEST(Cpu, NamesABlasCoreThatFitsTheInstructionSet) {
  const std::string core = blas_core_name();

  if (isa() >= Isa::kAvx2) {
    EXPECT_NE(core, "Prescott");
    EXPECT_NE(core, "Sandybridge");
  }
  EXPECT_FALSE(core.empty());
}

}  // namespace
}  // namespace sluice::kernels
