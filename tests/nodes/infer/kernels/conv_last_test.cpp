#include "sluice/nodes/infer/native/kernels/conv_last.h"

#include "sluice/nodes/infer/native/kernels/conv_transpose_last.h"
#include "sluice/nodes/infer/native/kernels/winograd.h"

#include "tests/nodes/infer/kernels/conv_reference.h"
#include "tests/nodes/infer/kernels/values.h"

#include <gtest/gtest.h>

#include <bit>
#include <utility>

namespace sluice::kernels {
namespace {

using test::Case;
using test::near;
using test::pick;
using test::random_case;
using test::random_floats;

// [batch, channels, area] -> [batch, area, step], what is beyond the channels being NaN.
std::vector<float> to_pixels(const std::vector<float>& planes, std::int64_t batch,
                             std::int64_t channels, std::int64_t step) {
  const std::int64_t area = static_cast<std::int64_t>(planes.size()) / (batch * channels);
  std::vector<float> pixels(static_cast<std::size_t>(batch * area * step), std::nanf(""));
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t i = 0; i < area; ++i) {
        pixels[static_cast<std::size_t>((n * area + i) * step + c)] =
            planes[static_cast<std::size_t>((n * channels + c) * area + i)];
      }
    }
  }
  return pixels;
}

std::vector<float> to_planes(const std::vector<float>& pixels, std::int64_t batch,
                             std::int64_t channels, std::int64_t step) {
  const std::int64_t area = static_cast<std::int64_t>(pixels.size()) / (batch * step);
  std::vector<float> planes;
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t i = 0; i < area; ++i) {
        planes.push_back(pixels[static_cast<std::size_t>((n * area + i) * step + c)]);
      }
    }
  }
  return planes;
}

float rounded_to_bf16(float x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(to_bf16(x)) << 16);
}

// An image as it lies in memory, in one of the precisions.
class Image {
 public:
  Image(const std::vector<float>& values, std::int64_t step, Precision precision)
      : step_(step), precision_(precision), floats_(values) {
    for (float x : values) halves_.push_back(to_bf16(x));
  }
  InputPixels input() const { return {bytes(), step_, precision_}; }
  OutputPixels output() { return {const_cast<std::byte*>(bytes()), step_, precision_}; }
  std::vector<float> values() const {
    if (precision_ == Precision::kFp32) return floats_;
    std::vector<float> values;
    for (const std::uint16_t bits : halves_) {
      values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
    }
    return values;
  }

 private:
  const std::byte* bytes() const {
    return precision_ == Precision::kFp32 ? reinterpret_cast<const std::byte*>(floats_.data())
                                          : reinterpret_cast<const std::byte*>(halves_.data());
  }
  std::int64_t step_;
  Precision precision_;
  std::vector<float> floats_;
  std::vector<std::uint16_t> halves_;
};

void round_all_to_bf16(std::vector<float>& values) {
  for (float& x : values) x = rounded_to_bf16(x);
}

// The relative error of rounding to bf16, with some room.
constexpr double kBf16Rounding = 1.0 / 256;

struct Variant {
  const SimdKernels* simd = nullptr;
  Precision precision = Precision::kFp32;
  std::int64_t more_input = 0, more_output = 0;  // channels of the images that are not the layer's
  bool planar_input = false;
  bool keeps_bf16 = false;  // images in bf16, where the convolution takes them so
};

void expect_matches(const Case& c, const Variant& variant, unsigned seed) {
  const ConvParams& p = c.params;
  auto input = random_floats({c.batch, p.in_channels, c.height, c.width}, seed);
  auto weights =
      random_floats({p.out_channels, p.in_channels / p.groups, p.kernel_h, p.kernel_w}, seed + 1);
  const auto bias = random_floats(c.bias ? p.out_channels : 0, seed + 2);
  const std::int64_t out_area = p.out_height(c.height) * p.out_width(c.width);
  auto residual = random_floats(c.residual ? c.batch * p.out_channels * out_area : 0, seed + 3);
  const ConvLast conv(*variant.simd, variant.precision, p, weights.data(),
                      c.bias ? bias.data() : nullptr, c.epilogue);
  const bool is_bf16 = std::string(conv.algorithm()).ends_with("bf16");
  const bool reads_bf16 = variant.keeps_bf16 && conv.reads_bf16();
  const Precision read = reads_bf16 ? Precision::kBf16 : Precision::kFp32;
  const Precision kept =
      variant.keeps_bf16 && conv.writes_bf16() ? Precision::kBf16 : Precision::kFp32;
  // Products of what was rounded are exact in fp32, so that nothing else may differ.
  if (is_bf16) round_all_to_bf16(weights);
  if (is_bf16 || reads_bf16) round_all_to_bf16(input);
  if (kept == Precision::kBf16) round_all_to_bf16(residual);
  const std::int64_t in_step = p.in_channels + variant.more_input;
  const std::int64_t out_step = p.out_channels + variant.more_output;
  const Image pixels(
      variant.planar_input ? input : to_pixels(input, c.batch, p.in_channels, in_step), in_step,
      read);
  const Image others(to_pixels(residual, c.batch, p.out_channels, out_step), out_step, kept);
  const std::vector<float> unwritten(static_cast<std::size_t>(c.batch * out_area * out_step),
                                     std::nanf(""));
  Image written = c.in_place ? others : Image(unwritten, out_step, kept);

  ConvLastCall call{.input = pixels.input(),
                    .input_is_planar = variant.planar_input,
                    .batch = c.batch,
                    .height = c.height,
                    .width = c.width,
                    .pad_top = p.pad_top,
                    .pad_left = p.pad_left,
                    .out_height = p.out_height(c.height),
                    .out_width = p.out_width(c.width),
                    .residual = !c.residual  ? InputPixels{}
                                : c.in_place ? std::as_const(written).input()
                                             : others.input(),
                    .output = written.output()};
  test::Scratch scratch(conv.scratch_bytes(call));
  call.scratch = scratch.data();
  conv.run(call);

  EXPECT_TRUE(scratch.intact());
  const std::vector<float> output = written.values();
  for (std::size_t i = 0; !c.in_place && i < output.size(); ++i) {
    const bool is_own = static_cast<std::int64_t>(i) % out_step < p.out_channels;
    ASSERT_EQ(std::isnan(output[i]), !is_own) << "a neighbour's channel was written";
  }
  const double absolute =
      2e-5 + 4e-8 * static_cast<double>(p.in_channels / p.groups * p.kernel_h * p.kernel_w);
  EXPECT_TRUE(near(to_planes(output, c.batch, p.out_channels, out_step),
                   test::reference(c, input, weights, bias, residual),
                   kept == Precision::kBf16 ? kBf16Rounding : 1e-5, absolute))
      << conv.algorithm() << " in " << p.in_channels << "x" << c.height << "x" << c.width << " out "
      << p.out_channels << " groups " << p.groups << " kernel " << p.kernel_h << "x" << p.kernel_w
      << " stride " << p.stride_h << "x" << p.stride_w << " dilation " << p.dilation_h << "x"
      << p.dilation_w << " pad " << p.pad_top << "," << p.pad_left << "," << p.pad_bottom << ","
      << p.pad_right << " batch " << c.batch << " activation "
      << static_cast<int>(c.epilogue.activation.kind);
}

class ConvLastTest : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (isa() < GetParam()) GTEST_SKIP() << "this CPU has no " << to_string(GetParam());
    simd_ = simd_kernels(GetParam());
  }

  // Precisions that these kernels have.
  std::vector<Precision> precisions() const {
    if (simd_->product_bf16 == nullptr) return {Precision::kFp32};
    return {Precision::kFp32, Precision::kBf16};
  }

  const SimdKernels* simd_ = nullptr;
};

TEST_P(ConvLastTest, MatchesTheDefinitionOnRandomShapes) {
  std::mt19937 engine(1);
  for (unsigned i = 0; i < 120; ++i) {
    const std::int64_t groups = pick(engine, 0, 3) > 0 ? 1 : pick(engine, 2, 4);
    const auto c = random_case(engine, groups, pick(engine, 1, 20), pick(engine, 1, 70));
    if (!c) continue;
    const Variant variant{simd_, Precision::kFp32, pick(engine, 0, 1) * 5, pick(engine, 0, 1) * 3,
                          groups == 1 && pick(engine, 0, 3) == 0};
    expect_matches(*c, variant, i);
  }
}

TEST_P(ConvLastTest, MatchesTheDefinitionInBf16) {
  if (simd_->product_bf16 == nullptr) GTEST_SKIP() << "these kernels have no bf16";
  std::mt19937 engine(2);
  for (unsigned i = 0; i < 60; ++i) {
    const std::int64_t groups = pick(engine, 0, 3) > 0 ? 1 : 2;
    const auto c = random_case(engine, groups, 2 * pick(engine, 6, 12), pick(engine, 1, 70));
    if (!c) continue;
    expect_matches(*c, {simd_, Precision::kBf16, pick(engine, 0, 1) * 5, 0}, i);
  }
}

// An odd step from pixel to pixel puts pairs apart, and an odd number of channels leaves one over.
TEST_P(ConvLastTest, MatchesTheDefinitionWithImagesInBf16) {
  if (simd_->product_bf16 == nullptr) GTEST_SKIP() << "these kernels have no bf16";
  std::mt19937 engine(6);
  for (unsigned i = 0; i < 120; ++i) {
    const bool is_depthwise = i % 2 == 0;
    const std::int64_t groups = is_depthwise ? pick(engine, 2, 40) : pick(engine, 0, 3) > 0 ? 1 : 2;
    const auto c = random_case(engine, groups, is_depthwise ? 1 : pick(engine, 11, 24),
                               is_depthwise ? 1 : pick(engine, 1, 70));
    if (!c) continue;
    expect_matches(*c,
                   {.simd = simd_,
                    .precision = Precision::kBf16,
                    .more_input = pick(engine, 0, 3),
                    .more_output = pick(engine, 0, 3),
                    .keeps_bf16 = true},
                   i);
  }
}

TEST_P(ConvLastTest, MatchesTheDefinitionOnRandomDepthwiseShapes) {
  std::mt19937 engine(3);
  for (unsigned i = 0; i < 120; ++i) {
    const auto c = random_case(engine, pick(engine, 2, 40), 1, pick(engine, 0, 5) > 0 ? 1 : 2);
    if (c) expect_matches(*c, {simd_, Precision::kFp32, pick(engine, 0, 1), 0}, i);
  }
}

TEST_P(ConvLastTest, MatchesTheDefinitionForPointwiseConvolutionsOfEveryTail) {
  for (const Precision precision : precisions()) {
    for (std::int64_t i = 1; i < 80; ++i) {
      Case c;
      c.params.in_channels = 16 + 2 * (i % 9);
      c.params.out_channels = i;
      c.height = 1 + i % 3;
      c.width = 1 + i % 29;
      c.epilogue.activation.kind = static_cast<ActivationKind>(i % 10);
      c.epilogue.activation.alpha = 0.2f, c.epilogue.activation.beta = 0.5f;
      expect_matches(c, {simd_, precision}, static_cast<unsigned>(i));
    }
  }
}

// Larger than what is done at a time: input that passes the weights, and weights that pass the
// input.
TEST_P(ConvLastTest, WalksLargeImagesAndDeepProductsInParts) {
  Case c;
  c.residual = true;
  for (const Precision precision : precisions()) {
    c.height = 40, c.width = 61;
    c.params = {.out_channels = 20, .in_channels = 48};
    expect_matches(c, {simd_, precision}, 1);
    c.height = 3, c.width = 33;
    c.params = {.out_channels = 70, .in_channels = 400};
    expect_matches(c, {simd_, precision}, 2);
    c.height = 30, c.width = 70;
    c.params = {.out_channels = 5,
                .in_channels = 64,
                .kernel_h = 3,
                .kernel_w = 3,
                .pad_top = 1,
                .pad_left = 1,
                .pad_bottom = 1,
                .pad_right = 1};
    expect_matches(c, {simd_, precision}, 3);
  }
}

// Tiles cut off at the right and below, several lots of them, and any number of channels.
TEST_P(ConvLastTest, MatchesTheDefinitionByWinograd) {
  std::mt19937 engine(5);
  for (unsigned i = 0; i < 25; ++i) {
    Case c;
    c.params = {.out_channels = pick(engine, 1, 40),
                .in_channels = pick(engine, 1, 40),
                .kernel_h = 3,
                .kernel_w = 3,
                .pad_top = pick(engine, 0, 2),
                .pad_left = pick(engine, 0, 2),
                .pad_bottom = pick(engine, 0, 2),
                .pad_right = pick(engine, 0, 2)};
    c.batch = pick(engine, 1, 2);
    c.height = pick(engine, 3, 40), c.width = pick(engine, 3, 60);
    c.residual = pick(engine, 0, 1) > 0;
    c.epilogue = {test::random_activation(engine), test::random_activation(engine)};
    const ConvParams& p = c.params;
    auto input = random_floats({c.batch, p.in_channels, c.height, c.width}, i);
    const auto weights = random_floats({p.out_channels, p.in_channels, 3, 3}, i + 1);
    const auto bias = random_floats(p.out_channels, i + 2);
    const std::int64_t out_area = p.out_height(c.height) * p.out_width(c.width);
    auto residual = random_floats(c.residual ? c.batch * p.out_channels * out_area : 0, i + 3);
    const Precision kept = i % 3 == 0 ? precisions().back() : Precision::kFp32;
    if (kept == Precision::kBf16) {
      round_all_to_bf16(input);
      round_all_to_bf16(residual);
    }
    const Image pixels(to_pixels(input, c.batch, p.in_channels, p.in_channels + 2),
                       p.in_channels + 2, kept);
    const Image others(to_pixels(residual, c.batch, p.out_channels, p.out_channels), p.out_channels,
                       kept);
    const Winograd conv(*simd_, p, weights.data(), bias.data(), c.epilogue);
    Image output(std::vector<float>(static_cast<std::size_t>(c.batch * p.out_channels * out_area)),
                 p.out_channels, kept);
    ConvLastCall call{.input = pixels.input(),
                      .batch = c.batch,
                      .height = c.height,
                      .width = c.width,
                      .pad_top = p.pad_top,
                      .pad_left = p.pad_left,
                      .out_height = p.out_height(c.height),
                      .out_width = p.out_width(c.width),
                      .residual = c.residual ? others.input() : InputPixels{},
                      .output = output.output()};
    test::Scratch scratch(conv.scratch_bytes(call));
    call.scratch = scratch.data();

    conv.run(call);

    EXPECT_TRUE(scratch.intact());
    EXPECT_TRUE(near(to_planes(output.values(), c.batch, p.out_channels, p.out_channels),
                     test::reference(c, input, weights, bias, residual),
                     kept == Precision::kBf16 ? kBf16Rounding : 1e-4, 2e-4))
        << "case " << i;
  }
}

TEST(Winograd, PaysForLessWhereProductsAreInBf16) {
  ConvParams p{.out_channels = 192, .in_channels = 48, .kernel_h = 3, .kernel_w = 3};

  EXPECT_TRUE(Winograd::pays(p, 13, 13, Precision::kFp32));
  EXPECT_FALSE(Winograd::pays(p, 13, 13, Precision::kBf16));
  EXPECT_TRUE(Winograd::pays(p, 56, 56, Precision::kBf16));
  p.in_channels = p.out_channels = 512;
  EXPECT_TRUE(Winograd::pays(p, 14, 14, Precision::kBf16));
  p.stride_w = 2;
  EXPECT_FALSE(Winograd::pays(p, 56, 56, Precision::kFp32));
}

TEST_P(ConvLastTest, TransposesWithoutOverlapAsDefined) {
  std::mt19937 engine(4);
  for (unsigned i = 0; i < 30; ++i) {
    ConvTransposeParams p;
    p.in_channels = pick(engine, 1, 30), p.out_channels = pick(engine, 1, 30);
    p.kernel_h = p.stride_h = pick(engine, 1, 3);
    p.kernel_w = p.stride_w = pick(engine, 1, 3);
    const std::int64_t batch = pick(engine, 1, 2), height = pick(engine, 1, 5),
                       width = pick(engine, 1, 30);
    const auto input = random_floats({batch, height, width, p.in_channels}, i);
    const auto weights =
        random_floats({p.in_channels, p.out_channels, p.kernel_h, p.kernel_w}, i + 1);
    const auto bias = random_floats(p.out_channels, i + 2);
    const Activation activation = test::random_activation(engine);
    const ConvTransposeLast conv(*simd_, p, weights.data(), bias.data(), activation);
    std::vector<float> output(static_cast<std::size_t>(batch * height * p.kernel_h * width *
                                                       p.kernel_w * p.out_channels));

    conv.run(batch, height, width, input.data(), output.data());

    std::vector<double> expected;
    for (std::int64_t at = 0; at < static_cast<std::int64_t>(output.size()); ++at) {
      const std::int64_t m = at % p.out_channels, pixel = at / p.out_channels;
      const std::int64_t x = pixel % (width * p.kernel_w), y = pixel / (width * p.kernel_w);
      const std::int64_t from = y / p.kernel_h * width + x / p.kernel_w;
      double sum = bias[static_cast<std::size_t>(m)];
      for (std::int64_t k = 0; k < p.in_channels; ++k) {
        const std::int64_t tap = y % p.kernel_h * p.kernel_w + x % p.kernel_w;
        sum += static_cast<double>(input[static_cast<std::size_t>(from * p.in_channels + k)]) *
               weights[static_cast<std::size_t>((k * p.out_channels + m) * p.kernel_h * p.kernel_w +
                                                tap)];
      }
      expected.push_back(test::activate(activation, sum));
    }
    EXPECT_TRUE(near(output, expected)) << "case " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, ConvLastTest,
                         ::testing::Values(Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace sluice::kernels
