#include "sluice/core/node_harness.h"

#include "tests/nodes/image/pictures.h"
#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using testing::FailsWith;
using testing::flat_image;
using testing::IsOk;
using testing::pixel;
using testing::pixels_of;

using OptionList = NodeHarness::OptionList;

Quad upright(float x0, float y0, float x1, float y1) {
  return {{{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}}, 1};
}

PayloadRef boxes_of(const std::vector<Quad>& quads) {
  List<Quad> list;
  for (const Quad& quad : quads) list.push_back(quad);
  return PayloadRef::make_list(payload_type<Quad>(), std::move(list).take());
}

PayloadRef lines_of(const std::vector<Quad>& quads) {
  List<TextLine> list;
  for (const Quad& quad : quads) list.push_back({"text", 0.9F, quad});
  return PayloadRef::make_list(payload_type<TextLine>(), std::move(list).take());
}

NodeHarness::Run annotate(const Image& image, const NodeHarness::Inputs& drawn,
                          OptionList options = {}) {
  NodeHarness node("image.annotate", std::move(options));
  if (drawn.contains("lines")) node.wire("lines", {&list_of(payload_type<TextLine>()), {}, {}});
  if (drawn.contains("boxes")) node.wire("boxes", {&list_of(payload_type<Quad>()), {}, {}});
  EXPECT_THAT(node.open(), IsOk());
  NodeHarness::Inputs inputs = drawn;
  inputs.emplace("image", PayloadRef::make(image));
  return node.process(inputs);
}

Image annotated(const Image& image, const NodeHarness::Inputs& drawn, OptionList options = {}) {
  const auto run = annotate(image, drawn, std::move(options));
  EXPECT_THAT(run.status, IsOk());
  return run.out().at(0).get<Image>();
}

std::vector<int> colour_at(const Image& image, int x, int y) {
  std::vector<int> colour;
  for (int c = 0; c < image.channels(); ++c) colour.push_back(pixel(image, x, y, c));
  return colour;
}

const OptionList kThinRed{{"thickness", std::int64_t{1}}, {"colour", NumberList{255, 0, 0}}};

TEST(ImageAnnotate, DrawsTheOutlineAndNothingElse) {
  const Image drawn =
      annotated(flat_image(40, 30, 3, 9), {{"lines", lines_of({upright(5, 6, 30, 20)})}}, kThinRed);

  for (const auto& [x, y] : {std::pair{5, 6}, {17, 6}, {30, 6}, {30, 13}, {17, 20}, {5, 13}}) {
    EXPECT_GT(pixel(drawn, x, y, 0), 200) << x << ' ' << y;
    EXPECT_LT(pixel(drawn, x, y, 1), 9) << x << ' ' << y;
  }
  for (const auto& [x, y] : {std::pair{17, 13}, {0, 0}, {39, 29}, {17, 9}, {17, 3}}) {
    EXPECT_THAT(colour_at(drawn, x, y), ElementsAre(9, 9, 9)) << x << ' ' << y;
  }
}

TEST(ImageAnnotate, LeavesThePictureItWasGivenAsItWas) {
  const Image original = flat_image(40, 30, 3, 9);
  const Image drawn = annotated(original, {{"lines", lines_of({upright(5, 6, 30, 20)})}});

  EXPECT_THAT(pixels_of(original), Each(9));
  EXPECT_NE(drawn.row(0), original.row(0));
}

TEST(ImageAnnotate, DrawsBoxesAndLinesTogether) {
  const Image drawn = annotated(flat_image(40, 30, 3, 0),
                                {{"boxes", boxes_of({upright(2, 2, 10, 10)})},
                                 {"lines", lines_of({upright(20, 12, 35, 25)})}},
                                kThinRed);

  EXPECT_GT(pixel(drawn, 6, 2, 0), 200);
  EXPECT_GT(pixel(drawn, 28, 12, 0), 200);
}

TEST(ImageAnnotate, CopiesThePictureWhereThereIsNothingToDraw) {
  const Image drawn = annotated(flat_image(8, 6, 3, 77), {{"lines", lines_of({})}});

  EXPECT_EQ(drawn.width(), 8);
  EXPECT_THAT(pixels_of(drawn), Each(77));
}

TEST(ImageAnnotate, DrawsInColourOnGreyAndOpaqueOnAlpha) {
  const auto quads = lines_of({upright(2, 2, 30, 20)});
  const Image on_grey = annotated(flat_image(40, 30, 1, 100), {{"lines", quads}}, kThinRed);
  const Image on_alpha = annotated(flat_image(40, 30, 4, 0), {{"lines", quads}}, kThinRed);

  EXPECT_THAT(colour_at(on_grey, 0, 0), ElementsAre(100, 100, 100));
  EXPECT_GT(pixel(on_grey, 16, 2, 0), 200);
  EXPECT_LT(pixel(on_grey, 16, 2, 1), 50);
  EXPECT_THAT(colour_at(on_alpha, 0, 0), ElementsAre(0, 0, 0, 0));
  EXPECT_GT(pixel(on_alpha, 16, 2, 3), 200);
}

TEST(ImageAnnotate, DrawsThickerOnLargerPictures) {
  const auto thickness = [](int side, OptionList options) {
    const auto at = static_cast<float>(side) / 4;
    const Image drawn =
        annotated(flat_image(side, side, 3, 0),
                  {{"lines", lines_of({upright(at, at, 3 * at, 3 * at)})}}, std::move(options));
    int drawn_rows = 0;
    for (int y = 0; y < side / 2; ++y) drawn_rows += pixel(drawn, side / 2, y, 0) > 127 ? 1 : 0;
    return drawn_rows;
  };
  const OptionList white{{"colour", 255.0}};

  EXPECT_EQ(thickness(100, white), 1);
  EXPECT_NEAR(thickness(2000, white), 5, 1);
  EXPECT_NEAR(thickness(100, {{"colour", 255.0}, {"thickness", std::int64_t{7}}}), 7, 1);
}

TEST(ImageAnnotate, ShowsThePartThatIsInThePicture) {
  const Image drawn = annotated(
      flat_image(40, 30, 3, 0),
      {{"boxes", boxes_of({upright(-1e9F, 10, 1e9F, 1e12F), upright(-3e38F, -3e38F, 3e38F, 3e38F),
                           upright(100, 100, 200, 200)})}},
      kThinRed);

  int red = 0;
  for (int y = 0; y < 30; ++y) {
    for (int x = 0; x < 40; ++x) red += pixel(drawn, x, y, 0) > 127 ? 1 : 0;
  }
  EXPECT_GT(pixel(drawn, 20, 10, 0), 200);
  EXPECT_EQ(red, 40);
}

TEST(ImageAnnotate, DrawsADegenerateQuadAsALine) {
  const Quad point = upright(10, 10, 10, 10);
  const Quad line = upright(5, 20, 30, 20);
  const Image drawn =
      annotated(flat_image(40, 30, 3, 0), {{"boxes", boxes_of({point, line})}}, kThinRed);

  EXPECT_GT(pixel(drawn, 17, 20, 0), 200);
}

TEST(ImageAnnotate, DrawsOnAPictureOfOnePixel) {
  const Image drawn = annotated(flat_image(1, 1, 3, 0),
                                {{"boxes", boxes_of({upright(0, 0, 1, 1)})}}, {{"number", true}});

  EXPECT_EQ(drawn.width(), 1);
}

TEST(ImageAnnotate, WritesThePlaceInTheListBesideTheOutline) {
  const auto quads = boxes_of({upright(40, 60, 90, 80), upright(2, 10, 50, 30)});
  const auto red_in = [&](const Image& image, int x0, int y0, int x1, int y1) {
    int red = 0;
    for (int y = y0; y < y1; ++y) {
      for (int x = x0; x < x1; ++x) red += pixel(image, x, y, 0) > 60 ? 1 : 0;
    }
    return red;
  };
  OptionList numbered = kThinRed;
  numbered.emplace_back("number", true);
  const Image plain = annotated(flat_image(100, 100, 3, 0), {{"boxes", quads}}, kThinRed);
  const Image with_numbers = annotated(flat_image(100, 100, 3, 0), {{"boxes", quads}}, numbered);

  EXPECT_EQ(red_in(plain, 25, 60, 38, 80), 0);
  EXPECT_GT(red_in(with_numbers, 25, 60, 38, 80), 10) << "left, where there is room";
  EXPECT_EQ(red_in(plain, 53, 10, 70, 30), 0);
  EXPECT_GT(red_in(with_numbers, 53, 10, 70, 30), 5) << "else right";
}

TEST(ImageAnnotate, RejectsACornerThatIsNoNumber) {
  Quad quad = upright(1, 1, 5, 5);
  quad.corners[2].y = std::numeric_limits<float>::quiet_NaN();

  EXPECT_THAT(
      annotate(flat_image(8, 8, 3, 0), {{"lines", lines_of({upright(0, 0, 1, 1), quad})}}).status,
      FailsWith("image.quad", "line 1"));
}

TEST(ImageAnnotate, NeedsSomethingToDraw) {
  EXPECT_THAT(NodeHarness("image.annotate").open(), FailsWith("node.resolve", "SL0304"));
}

TEST(ImageAnnotate, TakesOneOrThreeNumbersForAColour) {
  NodeHarness node("image.annotate", {{"colour", NumberList{1, 2}}});
  node.wire("lines", {&list_of(payload_type<TextLine>()), {}, {}});

  EXPECT_THAT(node.open(), FailsWith("node.resolve", "SL0207"));
}

TEST(ImageAnnotate, StaysWithinTheMemoryLimit) {
  NodeHarness node("image.annotate");
  node.wire("boxes", {&list_of(payload_type<Quad>()), {}, {}});
  node.limit_memory(1000);
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process(
      {{"image", PayloadRef::make(flat_image(100, 100, 1, 0))}, {"boxes", boxes_of({})}});

  EXPECT_THAT(run.status, FailsWith("memory.limit"));
}

}  // namespace
}  // namespace sluice
