#include "sluice/core/node_harness.h"

#include "tests/nodes/image/pictures.h"
#include "tests/nodes/image/slow_tensor.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

#include <array>
#include <cmath>
#include <random>
#include <string>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using testing::flat_image;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using testing::image_of;
using testing::IsOk;
using testing::pixel;
using ::testing::Pointwise;
using testing::values_of;

using OptionList = NodeHarness::OptionList;
constexpr double kRaw = 1.0 / 255;  // as `std`: leaves 0..255

struct Made {
  Tensor tensor;
  ImageMap map;
};

// REQUIRES: the node takes the picture.
Made to_tensor(const Image& image, OptionList options) {
  NodeHarness node("image.to_tensor", std::move(options));
  EXPECT_THAT(node.open(), IsOk());
  const auto run = node.process({{"image", PayloadRef::make(image)}});
  EXPECT_THAT(run.status, IsOk());
  return {run.out().at(0).get<Tensor>(), run.out("map").at(0).get<ImageMap>()};
}

Status resolved(OptionList options) {
  return NodeHarness("image.to_tensor", std::move(options)).open();
}

// A picture that no symmetry hides a mistake in.
Image uneven(int width, int height, int channels = 3) {
  return image_of(width, height, channels,
                  [](int x, int y, int c) { return (37 * x + 91 * y + 53 * c + x * y) % 256; });
}

cv::Mat as_opencv(const Image& image) {
  return cv::Mat(image.height(), image.width(), CV_8UC(image.channels()), image.row(0),
                 image.stride_bytes())
      .clone();
}

// Planes of a picture, not normalised.
std::vector<float> planes_of(const cv::Mat& picture) {
  std::vector<float> values;
  for (int c = 0; c < picture.channels(); ++c) {
    for (int y = 0; y < picture.rows; ++y) {
      for (int x = 0; x < picture.cols; ++x) {
        values.push_back(picture.ptr(y)[x * picture.channels() + c]);
      }
    }
  }
  return values;
}

TEST(ImageToTensor, NormalisesEachChannelByItsOwnMeanAndDeviation) {
  const Image image = image_of(2, 1, 3, [](int x, int, int c) { return 10 * (c + 1) + 100 * x; });
  const auto made =
      to_tensor(image, {{"mean", NumberList{0.1, 0.2, 0.3}}, {"std", NumberList{0.5, 0.25, 2.0}}});

  const auto expected = [](int value, double mean, double deviation) {
    return FloatNear(static_cast<float>((value / 255.0 - mean) / deviation), 1e-6F);
  };
  EXPECT_EQ(made.tensor.shape(), (Shape{3, 1, 2}));
  EXPECT_THAT(values_of<float>(made.tensor),
              ElementsAre(expected(10, 0.1, 0.5), expected(110, 0.1, 0.5), expected(20, 0.2, 0.25),
                          expected(120, 0.2, 0.25), expected(30, 0.3, 2), expected(130, 0.3, 2)));
}

TEST(ImageToTensor, OrdersAxesAndColoursAsAsked) {
  const Image image = image_of(2, 1, 3, [](int x, int, int c) { return 10 * x + c; });

  EXPECT_THAT(values_of<float>(to_tensor(image, {{"layout", "hwc"}, {"std", kRaw}}).tensor),
              Pointwise(FloatNear(1e-4F), {0, 1, 2, 10, 11, 12}));
  EXPECT_THAT(values_of<float>(to_tensor(image, {{"channels", "bgr"}, {"std", kRaw}}).tensor),
              Pointwise(FloatNear(1e-4F), {2, 12, 1, 11, 0, 10}));
  EXPECT_THAT(values_of<float>(
                  to_tensor(image, {{"channels", "bgr"}, {"layout", "hwc"}, {"std", kRaw}}).tensor),
              Pointwise(FloatNear(1e-4F), {2, 1, 0, 12, 11, 10}));
}

TEST(ImageToTensor, MixesGreyAndRepeatsIt) {
  const Image red = image_of(1, 1, 3, [](int, int, int c) { return c == 0 ? 200 : 0; });

  EXPECT_THAT(values_of<float>(to_tensor(red, {{"channels", "grey"}, {"std", kRaw}}).tensor),
              Pointwise(FloatNear(1e-3F), {0.299F * 200}));
  EXPECT_THAT(values_of<float>(to_tensor(flat_image(1, 1, 1, 7), {{"std", kRaw}}).tensor),
              Pointwise(FloatNear(1e-4F), {7, 7, 7}));
}

TEST(ImageToTensor, LeavesTheAlphaChannelOut) {
  const Image image = image_of(2, 1, 4, [](int x, int, int c) { return 10 * x + c; });

  EXPECT_THAT(values_of<float>(to_tensor(image, {{"std", kRaw}}).tensor),
              Pointwise(FloatNear(1e-4F), {0, 10, 1, 11, 2, 12}));
}

TEST(ImageToTensor, ResizesAsOpenCvDoes) {
  const Image image = uneven(37, 23);
  const std::pair<const char*, int> filters[] = {{"bilinear", cv::INTER_LINEAR},
                                                 {"area", cv::INTER_AREA},
                                                 {"cubic", cv::INTER_CUBIC},
                                                 {"nearest", cv::INTER_NEAREST}};
  for (const auto& [filter, method] : filters) {
    for (const cv::Size size : {cv::Size(16, 11), cv::Size(50, 60)}) {
      const auto made = to_tensor(image, {{"width", std::int64_t{size.width}},
                                          {"height", std::int64_t{size.height}},
                                          {"filter", filter},
                                          {"std", kRaw}});
      cv::Mat expected;
      cv::resize(as_opencv(image), expected, size, 0, 0, method);

      std::vector<float> bytes = values_of<float>(made.tensor);
      for (float& value : bytes) value = std::round(value);
      EXPECT_EQ(bytes, planes_of(expected)) << filter;
    }
  }
}

TEST(ImageToTensor, ScalesBilinearlyToTheBitLikeOpenCv) {
  std::mt19937 random(11);
  const auto side = [&](unsigned most) { return static_cast<int>(1 + random() % most); };
  for (int round = 0; round < 300; ++round) {
    const int channels = std::array{1, 3, 4}[static_cast<std::size_t>(round) % 3];
    const Image image = image_of(side(70), side(70), channels,
                                 [&](int, int, int) { return static_cast<int>(random() % 256); });
    // Every tenth halves both sides, which OpenCV does in a way of its own.
    const cv::Size size = round % 10 == 0 && image.width() > 1 && image.height() > 1
                              ? cv::Size(image.width() / 2, image.height() / 2)
                              : cv::Size(side(90), side(90));
    SCOPED_TRACE(std::to_string(image.width()) + " x " + std::to_string(image.height()) + " to " +
                 std::to_string(size.width) + " x " + std::to_string(size.height) + ", " +
                 std::to_string(channels) + " channels");
    const auto made = to_tensor(image, {{"width", std::int64_t{size.width}},
                                        {"height", std::int64_t{size.height}},
                                        {"std", kRaw}});
    cv::Mat expected;
    cv::resize(as_opencv(image), expected, size, 0, 0, cv::INTER_LINEAR);

    const auto values = values_of<float>(made.tensor);
    const auto plane = static_cast<std::size_t>(size.area());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto c = channels == 1 ? 0 : i / plane;
      ASSERT_EQ(std::lround(values[i]),
                expected.data[i % plane * static_cast<std::size_t>(channels) + c])
          << "at " << i;
    }
  }
}

struct Sizes {
  int width;
  int height;
  int to_width;
  int to_height;
};
// From and to a single pixel, odd, enlarged, reduced, both, halved, unchanged, and wide enough for
// whole vectors with some pixels left over.
constexpr Sizes kSizes[] = {{1, 1, 1, 1},   {1, 1, 5, 3},    {7, 5, 1, 1},     {1, 9, 4, 2},
                            {9, 1, 2, 3},   {2, 2, 3, 3},    {5, 3, 11, 8},    {13, 9, 13, 4},
                            {61, 47, 7, 5}, {61, 47, 30, 1}, {64, 48, 32, 24}, {22, 18, 11, 9},
                            {9, 7, 9, 7},   {31, 9, 77, 50}, {97, 40, 43, 39}, {33, 65, 66, 130}};

Image noisy(int width, int height, int channels) {
  std::mt19937 random(static_cast<unsigned>(width * 1000 + height * 10 + channels));
  return image_of(width, height, channels,
                  [&](int, int, int) { return static_cast<int>(random() % 256); });
}

// By hand what the node gives for a picture that was scaled already.
void expect_tensor(const Image& picture, const Image& scaled, const OptionList& options,
                   testing::SlowRecipe recipe) {
  EXPECT_EQ(values_of<float>(to_tensor(picture, options).tensor),
            testing::slow_tensor(scaled, recipe));
}

TEST(ImageToTensor, GivesWhatPlainLoopsGiveToTheBit) {
  const std::pair<const char*, Image (*)(const Image&, int, int)> filters[] = {
      {"bilinear", testing::slow_bilinear}, {"antialias", testing::slow_antialias}};
  const NumberList mean{0.485, 0.456, 0.406};
  const NumberList deviation{0.229, 0.224, 0.225};
  for (const auto& [filter, slow] : filters) {
    for (const auto& [width, height, to_width, to_height] : kSizes) {
      for (const int channels : {1, 3, 4}) {
        SCOPED_TRACE(std::string(filter) + " " + std::to_string(width) + " x " +
                     std::to_string(height) + " to " + std::to_string(to_width) + " x " +
                     std::to_string(to_height) + ", " + std::to_string(channels) + " channels");
        const Image picture = noisy(width, height, channels);
        const Image scaled = slow(picture, to_width, to_height);
        const OptionList options{{"width", std::int64_t{to_width}},
                                 {"height", std::int64_t{to_height}},
                                 {"filter", filter},
                                 {"mean", mean},
                                 {"std", deviation}};
        const auto with = [&](OptionList more) {
          more.insert(more.end(), options.begin(), options.end());
          return more;
        };
        testing::SlowRecipe recipe;
        recipe.width = to_width;
        recipe.height = to_height;
        expect_tensor(picture, scaled, options, recipe);
        recipe.planar = false;
        expect_tensor(picture, scaled, with({{"layout", "hwc"}}), recipe);
        recipe.from = {2, 1, 0};
        expect_tensor(picture, scaled, with({{"layout", "hwc"}, {"channels", "bgr"}}), recipe);
        recipe.planar = true;
        expect_tensor(picture, scaled, with({{"channels", "bgr"}}), recipe);
      }
    }
  }
}

TEST(ImageToTensor, MixesGreyAsPlainLoopsDo) {
  for (const auto& [width, height, to_width, to_height] : kSizes) {
    for (const int channels : {1, 3, 4}) {
      const Image picture = noisy(width, height, channels);
      testing::SlowRecipe recipe;
      recipe.from = {0};
      recipe.width = to_width;
      recipe.height = to_height;
      expect_tensor(picture, testing::slow_bilinear(picture, to_width, to_height),
                    {{"width", std::int64_t{to_width}},
                     {"height", std::int64_t{to_height}},
                     {"channels", "grey"},
                     {"mean", 0.485},
                     {"std", 0.229}},
                    recipe);
    }
  }
}

TEST(ImageToTensor, CropsAndPadsAsPlainLoopsDo) {
  const Image picture = noisy(61, 47, 3);
  const OptionList options{{"width", std::int64_t{30}},
                           {"height", std::int64_t{20}},
                           {"filter", "antialias"},
                           {"mean", NumberList{0.485, 0.456, 0.406}},
                           {"std", NumberList{0.229, 0.224, 0.225}}};
  OptionList crop = options;
  crop.insert(crop.end(), {{"fit", "crop"}, {"short_side", std::int64_t{37}}});
  OptionList pad = options;
  pad.emplace_back("fit", "pad");
  testing::SlowRecipe recipe;
  recipe.width = 30;
  recipe.height = 20;

  // 61 x 47 with 37 as the shorter side is 48 x 37; with 20 as the height 25 x 20.
  recipe.x = 9;
  recipe.y = 8;
  expect_tensor(picture, testing::slow_antialias(picture, 48, 37), crop, recipe);
  recipe.x = -2;
  recipe.y = 0;
  expect_tensor(picture, testing::slow_antialias(picture, 25, 20), pad, recipe);
}

// Pillow up to 12 goes across first whatever the sizes are; Pillow 13 goes
// down first where the height shrinks by far more, and rounds some bytes the other way there.
TEST(ImageToTensor, AntialiasesLikePillow) {
  const struct {
    Sizes size;
    std::vector<float> bytes;  // Pillow 12.3.0: resize((to_width, to_height), BILINEAR)
  } cases[] = {{{7, 5, 3, 2}, {105, 125, 133, 124, 139, 151}},
               {{16, 9, 2, 1}, {128, 131}},
               {{5, 4, 8, 3}, {27,  44,  69,  93, 118, 142, 124, 107, 137, 157, 179, 129,
                               119, 148, 106, 71, 66,  91,  121, 108, 119, 154, 189, 213}},
               {{3, 3, 7, 7}, {0,   5,   21,  37,  53,  69,  74,  13,  18,  35,  51,  67,  84,
                               89,  52,  58,  75,  93,  111, 128, 134, 91,  97,  116, 135, 154,
                               173, 179, 130, 136, 157, 177, 150, 123, 114, 169, 176, 197, 219,
                               146, 74,  50,  182, 189, 211, 233, 145, 57,  28}}};
  for (const auto& [size, bytes] : cases) {
    const Image picture = image_of(size.width, size.height, 1, [](int x, int y, int) {
      return (37 * x + 91 * y + 7 * x * y) % 256;
    });
    std::vector<float> values =
        values_of<float>(to_tensor(picture, {{"width", std::int64_t{size.to_width}},
                                             {"height", std::int64_t{size.to_height}},
                                             {"filter", "antialias"},
                                             {"channels", "grey"},
                                             {"std", kRaw}})
                             .tensor);
    for (float& value : values) value = std::round(value);
    EXPECT_EQ(values, bytes) << size.width << " x " << size.height;
  }
}

TEST(ImageToTensor, ComputesACropAsThatPartOfTheWhole) {
  const Image image = uneven(61, 47);
  for (const char* filter : {"bilinear", "antialias", "area"}) {
    const auto scaled_to = [&](std::int64_t width, std::int64_t height) {
      return to_tensor(image, {{"width", width},
                               {"height", height},
                               {"fit", "crop"},
                               {"short_side", std::int64_t{30}},
                               {"filter", filter},
                               {"std", kRaw}})
          .tensor;
    };
    const auto whole = values_of<float>(scaled_to(30, 30));
    const auto part = values_of<float>(scaled_to(10, 20));

    for (std::size_t y = 0; y < 20; ++y) {
      for (std::size_t x = 0; x < 10; ++x)
        ASSERT_EQ(part[y * 10 + x], whole[(y + 5) * 30 + x + 10]) << filter << x << ", " << y;
    }
  }
}

TEST(ImageToTensor, AntialiasesWithATriangleAsWideAsTheReduction) {
  // Halving: each target pixel is made of the four pixels around it by weights 1/8 3/8 3/8 1/8, and
  // at the edge, where one is missing, by 3/7 3/7 1/7.
  const Image row = image_of(4, 1, 1, [](int x, int, int) { return (x * x + 1) * 10; });
  const auto made = to_tensor(row, {{"width", std::int64_t{2}},
                                    {"height", std::int64_t{1}},
                                    {"filter", "antialias"},
                                    {"channels", "grey"},
                                    {"std", kRaw}});

  EXPECT_THAT(values_of<float>(made.tensor),
              Pointwise(FloatNear(0.501F),
                        {(3 * 10 + 3 * 20 + 50) / 7.0F, (20 + 3 * 50 + 3 * 100) / 7.0F}));
}

TEST(ImageToTensor, EnlargesByAntialiasAsPlainBilinear) {
  const Image image = uneven(9, 7);
  const OptionList size{{"width", std::int64_t{27}}, {"height", std::int64_t{14}}, {"std", kRaw}};
  OptionList antialias = size;
  antialias.emplace_back("filter", "antialias");

  const auto plain = values_of<float>(to_tensor(image, size).tensor);
  EXPECT_THAT(values_of<float>(to_tensor(image, antialias).tensor),
              Pointwise(FloatNear(1.01F), plain));
}

TEST(ImageToTensor, CropsTheMiddle) {
  const Image image = uneven(10, 4);
  const auto made = to_tensor(
      image,
      {{"width", std::int64_t{4}}, {"height", std::int64_t{4}}, {"fit", "crop"}, {"std", kRaw}});

  ASSERT_EQ(made.tensor.shape(), (Shape{3, 4, 4}));
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x) {
      EXPECT_NEAR(made.tensor.data<float>()[4 * y + x], pixel(image, x + 3, y, 0), 1e-3);
    }
  }
  EXPECT_FLOAT_EQ(made.map.offset_x, 3);
  EXPECT_FLOAT_EQ(made.map.scale_x, 1);
}

TEST(ImageToTensor, PadsWithZerosToTheMiddle) {
  const auto made = to_tensor(flat_image(4, 2, 3, 255), {{"width", std::int64_t{4}},
                                                         {"height", std::int64_t{4}},
                                                         {"fit", "pad"},
                                                         {"mean", 0.5},
                                                         {"std", 0.5}});

  const auto values = values_of<float>(made.tensor);
  EXPECT_THAT(std::vector(values.begin(), values.begin() + 16),
              ElementsAre(0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0));
  EXPECT_FLOAT_EQ(made.map.offset_y, -1);
}

TEST(ImageToTensor, MapsTensorPositionsToThePicture) {
  const auto made = to_tensor(
      uneven(200, 100), {{"short_side", std::int64_t{230}}, {"multiple_of", std::int64_t{32}}});

  // 460 x 230 rounds to multiples of 32.
  ASSERT_EQ(made.tensor.shape(), (Shape{3, 224, 448}));
  EXPECT_FLOAT_EQ(made.map.scale_x, 200.0F / 448);
  EXPECT_FLOAT_EQ(made.map.scale_y, 100.0F / 224);
  EXPECT_EQ(made.map.image_width, 200);
  EXPECT_EQ(made.map.image_height, 100);
}

TEST(ImageToTensor, KeepsTheAspectRatio) {
  const auto shape = [](int width, int height, OptionList options) {
    return to_tensor(flat_image(width, height, 3, 0), std::move(options)).tensor.shape();
  };

  EXPECT_EQ(shape(100, 30, {{"height", std::int64_t{48}}}), (Shape{3, 48, 160}));
  EXPECT_EQ(shape(101, 30, {{"height", std::int64_t{48}}}), (Shape{3, 48, 162}));
  EXPECT_EQ(shape(100, 30, {{"height", std::int64_t{48}}, {"max_width", std::int64_t{64}}}),
            (Shape{3, 48, 64}));
  EXPECT_EQ(shape(100, 30, {{"width", std::int64_t{50}}}), (Shape{3, 15, 50}));
  EXPECT_EQ(shape(1000, 2, {{"width", std::int64_t{10}}}), (Shape{3, 1, 10}));
  EXPECT_EQ(shape(100, 50, {{"short_side", std::int64_t{20}}}), (Shape{3, 50, 100}));
  EXPECT_EQ(shape(100, 50, {{"long_side", std::int64_t{20}}}), (Shape{3, 10, 20}));
  EXPECT_EQ(shape(7, 5, {{"multiple_of", std::int64_t{32}}}), (Shape{3, 32, 32}));
}

TEST(ImageToTensor, SaysItsShapeBeforeTheRun) {
  NodeHarness fixed(
      "image.to_tensor",
      {{"width", std::int64_t{320}}, {"height", std::int64_t{224}}, {"channels", "grey"}});
  NodeHarness open("image.to_tensor", {{"height", std::int64_t{48}}, {"layout", "hwc"}});
  ASSERT_THAT(fixed.open(), IsOk());
  ASSERT_THAT(open.open(), IsOk());

  EXPECT_EQ(fixed.ports().outputs[0].type.to_string(), "Tensor f32 [1,224,320] chw");
  EXPECT_EQ(open.ports().outputs[0].type.to_string(), "Tensor f32 [48,W,3] hwc");
}

TEST(ImageToTensor, RefusesSizesThatContradictEachOther) {
  const std::int64_t n = 32;
  EXPECT_THAT(resolved({{"fit", "crop"}, {"width", n}}), FailsWith("node.resolve", "SL0221"));
  EXPECT_THAT(resolved({{"max_width", n}}), FailsWith("node.resolve", "SL0221"));
  EXPECT_THAT(resolved({{"width", n}, {"short_side", n}}), FailsWith("node.resolve", "SL0221"));
  EXPECT_THAT(resolved({{"width", n}, {"height", n}, {"long_side", n}}),
              FailsWith("node.resolve", "SL0221"));
  EXPECT_THAT(resolved({{"width", n}, {"multiple_of", n}}), FailsWith("node.resolve", "SL0221"));
  EXPECT_THAT(resolved({{"mean", NumberList{1, 2}}}), FailsWith("node.resolve", "SL0207"));
}

TEST(ImageToTensor, RejectsATensorThatWouldBeHuge) {
  NodeHarness node("image.to_tensor", {{"height", std::int64_t{1000}}});
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process({{"image", PayloadRef::make(flat_image(1000, 2, 1, 0))}});

  EXPECT_THAT(run.status, FailsWith("image.tensor_size", "1000 x 2"));
}

TEST(ImageToTensor, StaysWithinTheMemoryLimit) {
  NodeHarness node("image.to_tensor",
                   {{"width", std::int64_t{640}}, {"height", std::int64_t{640}}});
  node.limit_memory(1 << 20);
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process({{"image", PayloadRef::make(flat_image(8, 8, 3, 0))}});

  EXPECT_THAT(run.status, FailsWith("memory.limit"));
  EXPECT_LE(node.budget()->peak_bytes(), std::size_t{1} << 20);
}

}  // namespace
}  // namespace sluice
