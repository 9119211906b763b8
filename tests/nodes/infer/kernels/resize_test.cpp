#include "sluice/nodes/infer/native/kernels/resize.h"

#include "tests/nodes/infer/kernels/values.h"

#include <gtest/gtest.h>

namespace sluice::kernels {
namespace {

using test::Extents;
using test::near;
using test::random_floats;

std::vector<float> resized(ResizeParams params, const Extents& dims, const Extents& out,
                           const std::vector<float>& input) {
  std::vector<float> scales;
  for (std::size_t i = 0; i < dims.size(); ++i)
    scales.push_back(static_cast<float>(out[i]) / static_cast<float>(dims[i]));
  params.dims = dims;
  params.out_dims = out;
  if (params.scales.empty()) params.scales = scales;
  test::Scratch scratch(resize_scratch_bytes(params));
  std::vector<float> output(static_cast<std::size_t>(element_count(out)));
  resize(params, input.data(), output.data(), scratch.data());
  EXPECT_TRUE(scratch.intact());
  return output;
}

TEST(Resize, RepeatsPixelsForAWholeFactor) {
  for (const std::int64_t factor : {1, 2, 3}) {
    const Extents dims{2, 3, 5, 7}, out{2, 3, 5 * factor, 7 * factor};
    const auto input = random_floats(dims, 1);
    std::vector<float> expected;
    for (std::int64_t i = 0; i < element_count(out); ++i) {
      const std::int64_t x = i % out[3], y = i / out[3] % out[2], plane = i / (out[3] * out[2]);
      expected.push_back(
          input[static_cast<std::size_t>((plane * 5 + y / factor) * 7 + x / factor)]);
    }
    ResizeParams params;
    params.coordinates = ResizeCoordinates::kAsymmetric;
    params.rounding = ResizeRounding::kFloor;

    EXPECT_EQ(resized(params, dims, out, input), expected);
    params.coordinates = ResizeCoordinates::kHalfPixel;
    params.rounding = ResizeRounding::kRoundPreferFloor;
    EXPECT_EQ(resized(params, dims, out, input), expected);
  }
}

// Half-pixel linear of two axes, straight from the definition.
TEST(Resize, InterpolatesBetweenPixelCentres) {
  for (const Extents& out : {Extents{1, 2, 9, 13}, Extents{1, 2, 3, 4}, Extents{1, 2, 5, 20}}) {
    const Extents dims{1, 2, 5, 8};
    const auto input = random_floats(dims, 1);
    std::vector<double> expected;
    for (std::int64_t i = 0; i < element_count(out); ++i) {
      const auto source = [](std::int64_t at, std::int64_t in, std::int64_t size) {
        return std::clamp(
            (static_cast<double>(at) + 0.5) * static_cast<double>(in) / static_cast<double>(size) -
                0.5,
            0.0, static_cast<double>(in - 1));
      };
      const double x = source(i % out[3], 8, out[3]), y = source(i / out[3] % out[2], 5, out[2]);
      const auto pixel = [&](std::int64_t py, std::int64_t px) {
        py = std::min<std::int64_t>(py, 4);
        px = std::min<std::int64_t>(px, 7);
        return static_cast<double>(
            input[static_cast<std::size_t>((i / (out[3] * out[2]) * 5 + py) * 8 + px)]);
      };
      const auto x0 = static_cast<std::int64_t>(x), y0 = static_cast<std::int64_t>(y);
      const double fx = x - static_cast<double>(x0), fy = y - static_cast<double>(y0);
      expected.push_back((pixel(y0, x0) * (1 - fx) + pixel(y0, x0 + 1) * fx) * (1 - fy) +
                         (pixel(y0 + 1, x0) * (1 - fx) + pixel(y0 + 1, x0 + 1) * fx) * fy);
    }

    EXPECT_TRUE(
        near(resized({.mode = ResizeMode::kLinear}, dims, out, input), expected, 1e-5, 1e-5));
  }
}

TEST(Resize, AlignsCorners) {
  const std::vector<float> input{0, 10, 20};

  const auto output =
      resized({.mode = ResizeMode::kLinear, .coordinates = ResizeCoordinates::kAlignCorners},
              {1, 3}, {1, 5}, input);

  EXPECT_TRUE(near(output, std::vector<float>{0, 5, 10, 15, 20}));
}

TEST(Resize, RoundsAsAsked) {
  const std::vector<float> input{1, 2, 3, 4};
  const auto of = [&](ResizeRounding rounding) {
    return resized({.coordinates = ResizeCoordinates::kAlignCorners, .rounding = rounding}, {4},
                   {7}, input);
  };

  EXPECT_EQ(of(ResizeRounding::kRoundPreferFloor), (std::vector<float>{1, 1, 2, 2, 3, 3, 4}));
  EXPECT_EQ(of(ResizeRounding::kRoundPreferCeil), (std::vector<float>{1, 2, 2, 3, 3, 4, 4}));
  EXPECT_EQ(of(ResizeRounding::kFloor), (std::vector<float>{1, 1, 2, 2, 3, 3, 4}));
  EXPECT_EQ(of(ResizeRounding::kCeil), (std::vector<float>{1, 2, 2, 3, 3, 4, 4}));
}

// A cubic of any `a` keeps constants, and a linear ramp away from the edges for a = -0.5.
TEST(Resize, InterpolatesCubically) {
  std::vector<float> ramp, expected;
  for (int i = 0; i < 12; ++i) ramp.push_back(static_cast<float>(i));
  for (int i = 0; i < 24; ++i) expected.push_back(static_cast<float>(i) / 2 - 0.25f);

  const auto output = resized({.mode = ResizeMode::kCubic, .cubic_a = -0.5f}, {12}, {24}, ramp);
  const auto flat = resized({.mode = ResizeMode::kCubic, .exclude_outside = true}, {12}, {30},
                            std::vector<float>(12, 3.0f));

  EXPECT_TRUE(near(std::vector<float>(output.begin() + 5, output.end() - 5),
                   std::vector<float>(expected.begin() + 5, expected.end() - 5)));
  EXPECT_TRUE(near(flat, std::vector<float>(30, 3.0f)));
}

TEST(Resize, CropsAndExtrapolates) {
  const std::vector<float> input{0, 10, 20, 30, 40}, roi{0.5f, 1.5f};
  ResizeParams params{.mode = ResizeMode::kLinear,
                      .coordinates = ResizeCoordinates::kTfCropAndResize};
  params.roi = roi;
  params.extrapolation = -1.0f;

  EXPECT_TRUE(near(resized(params, {5}, {5}, input), std::vector<float>{20, 30, 40, -1, -1}));
}

TEST(Resize, CopiesWhatDoesNotChange) {
  const Extents dims{2, 3, 4};
  const auto input = random_floats(dims, 1);

  EXPECT_EQ(resized({.mode = ResizeMode::kLinear}, dims, dims, input), input);
}

}  // namespace
}  // namespace sluice::kernels
