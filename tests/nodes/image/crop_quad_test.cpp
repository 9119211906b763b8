#include "sluice/core/node_harness.h"

#include "tests/nodes/image/pictures.h"
#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

#include <cmath>
#include <limits>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::image_of;
using testing::IsOk;
using testing::pixel;
using testing::pixels_of;

Quad quad_of(std::array<Point, 4> corners) { return {corners, 1}; }
Quad upright(float x, float y, float width, float height) {
  return quad_of({{{x, y}, {x + width, y}, {x + width, y + height}, {x, y + height}}});
}

NodeHarness::Run crop(const Image& image, const Quad& quad, NodeHarness::OptionList options = {}) {
  NodeHarness node("image.crop_quad", std::move(options));
  EXPECT_THAT(node.open(), IsOk());
  return node.process({{"image", PayloadRef::make(image)}, {"quad", PayloadRef::make(quad)}});
}

Image cropped(const Image& image, const Quad& quad, NodeHarness::OptionList options = {}) {
  const auto run = crop(image, quad, std::move(options));
  EXPECT_THAT(run.status, IsOk());
  return run.out().at(0).get<Image>();
}

Image uneven(int width, int height, int channels = 3) {
  return image_of(width, height, channels,
                  [](int x, int y, int c) { return (37 * x + 91 * y + 53 * c + x * y) % 256; });
}

TEST(ImageCropQuad, CopiesAnUprightRegionExactly) {
  const Image page = uneven(60, 40);
  const Image crop = cropped(page, upright(20, 10, 30, 12));

  ASSERT_EQ(crop.width(), 30);
  ASSERT_EQ(crop.height(), 12);
  for (int y = 0; y < 12; ++y) {
    for (int x = 0; x < 30; ++x) ASSERT_EQ(pixel(crop, x, y, 1), pixel(page, 20 + x, 10 + y, 1));
  }
}

TEST(ImageCropQuad, StraightensASlantedRegionAsOpenCvDoesOnTheWholePage) {
  const Image page = uneven(200, 120);
  const std::array<Point, 4> corners{{{40, 30}, {140, 50}, {135, 80}, {36, 61}}};
  const Image crop = cropped(page, quad_of(corners));

  const int width = static_cast<int>(std::hypot(100.0F, 20.0F));
  const int height = static_cast<int>(std::max(std::hypot(4.0F, 31.0F), std::hypot(5.0F, 30.0F)));
  ASSERT_EQ(crop.width(), width);
  ASSERT_EQ(crop.height(), height);
  const cv::Point2f from[] = {{40, 30}, {140, 50}, {135, 80}, {36, 61}};
  const auto w = static_cast<float>(width);
  const auto h = static_cast<float>(height);
  const cv::Point2f to[] = {{0, 0}, {w, 0}, {w, h}, {0, h}};
  cv::Mat expected;
  cv::warpPerspective(cv::Mat(120, 200, CV_8UC3, page.row(0), page.stride_bytes()), expected,
                      cv::getPerspectiveTransform(from, to), {width, height}, cv::INTER_CUBIC,
                      cv::BORDER_REPLICATE);
  int different = 0;
  for (int y = 0; y < height; ++y) {
    for (int i = 0; i < 3 * width; ++i) {
      different += std::abs(expected.ptr(y)[i] - crop.row(y)[i]) > 8 ? 1 : 0;
    }
  }
  // OpenCV places pixels to 1/32; moving the origin may choose the other one of two neighbours.
  EXPECT_LE(different, width * height * 3 / 100);
}

TEST(ImageCropQuad, TurnsATallRegionToTheLeft) {
  const Image page = uneven(40, 60);
  const Image crop = cropped(page, upright(10, 5, 10, 40));

  ASSERT_EQ(crop.width(), 40);
  ASSERT_EQ(crop.height(), 10);
  // The region's top right corner becomes the top left one.
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 40; ++x) ASSERT_EQ(pixel(crop, x, y, 0), pixel(page, 19 - y, 5 + x, 0));
  }
}

TEST(ImageCropQuad, TurnsOnlyWhatIsTallEnough) {
  const Image page = uneven(40, 60);

  EXPECT_EQ(cropped(page, upright(10, 5, 10, 14)).width(), 10);
  EXPECT_EQ(cropped(page, upright(10, 5, 10, 15)).width(), 15);
  EXPECT_EQ(cropped(page, upright(10, 5, 10, 40), {{"turn_tall", 0.0}}).width(), 10);
}

TEST(ImageCropQuad, KeepsTheChannels) {
  EXPECT_EQ(cropped(uneven(20, 20, 1), upright(1, 1, 8, 4)).channels(), 1);
  EXPECT_EQ(cropped(uneven(20, 20, 4), upright(1, 1, 8, 4)).channels(), 4);
}

TEST(ImageCropQuad, RepeatsTheEdgeBeyondThePicture) {
  const Image page = image_of(20, 10, 1, [](int x, int, int) { return x == 0 ? 10 : 200; });
  const Image left = cropped(page, upright(-8, 2, 8, 4));

  EXPECT_THAT(pixels_of(left), ::testing::Each(10));
}

TEST(ImageCropQuad, RejectsARegionFarFromThePicture) {
  const Image page = uneven(20, 10);

  EXPECT_THAT(crop(page, upright(500, 300, 8, 4)).status,
              FailsWith("image.crop_size", "beyond the picture"));
  EXPECT_THAT(crop(page, upright(-500, 3, 8, 4)).status, FailsWith("image.crop_size"));
}

TEST(ImageCropQuad, RejectsARegionWithoutArea) {
  const Image page = uneven(20, 10);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();

  EXPECT_THAT(crop(page, upright(5, 5, 0, 0)).status, FailsWith("image.crop_size"));
  EXPECT_THAT(crop(page, upright(5, 5, 8, 0)).status, FailsWith("image.crop_size"));
  EXPECT_THAT(crop(page, upright(5, 5, 0.5F, 3)).status, FailsWith("image.crop_size"));
  EXPECT_THAT(crop(page, upright(nan, 5, 8, 4)).status, FailsWith("image.crop_size", "no number"));
  EXPECT_THAT(crop(page, upright(5, 5, infinity, 4)).status, FailsWith("image.crop_size"));
}

TEST(ImageCropQuad, RejectsCornersThatLieOnOneLine) {
  const Quad flat = quad_of({{{2, 2}, {10, 2}, {18, 2}, {6, 2}}});
  const Quad folded = quad_of({{{2, 2}, {10, 10}, {10, 10}, {2, 2}}});

  EXPECT_THAT(crop(uneven(20, 20), flat).status, FailsWith("image.crop_size"));
  EXPECT_THAT(crop(uneven(20, 20), folded).status, FailsWith("image.crop_size"));
}

TEST(ImageCropQuad, RejectsARegionOfAbsurdSize) {
  const Image page = uneven(20, 10);

  EXPECT_THAT(crop(page, upright(0, 0, 40000, 10)).status, FailsWith("image.crop_size", "40000"));
  EXPECT_THAT(crop(page, upright(0, 0, 1e30F, 1e30F)).status, FailsWith("image.crop_size"));
}

TEST(ImageCropQuad, StaysWithinTheMemoryLimit) {
  NodeHarness node("image.crop_quad");
  node.limit_memory(100'000);
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process({{"image", PayloadRef::make(uneven(20, 10))},
                                 {"quad", PayloadRef::make(upright(0, 0, 20000, 10000))}});

  EXPECT_THAT(run.status, FailsWith("memory.limit"));
}

}  // namespace
}  // namespace sluice
