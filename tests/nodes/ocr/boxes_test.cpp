#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::IsOk;

using OptionList = NodeHarness::OptionList;

// A detector's map, all zeros at first.
class Map {
 public:
  Map(int width, int height) : tensor_(*Tensor::allocate(DType::kF32, {1, height, width})) {
    std::fill_n(tensor_.data<float>(), tensor_.elements(), 0.0F);
  }
  Map& rectangle(int x0, int y0, int x1, int y1, float value) {
    for (int y = y0; y < y1; ++y) {
      for (int x = x0; x < x1; ++x) {
        tensor_.data<float>()[y * static_cast<int>(tensor_.shape()[2]) + x] = value;
      }
    }
    return *this;
  }
  const Tensor& tensor() const { return tensor_; }

 private:
  Tensor tensor_;
};

ImageMap page_of(const Tensor& tensor, float scale = 1) {
  const auto width = static_cast<float>(tensor.shape()[tensor.shape().rank() - 1]);
  const auto height = static_cast<float>(tensor.shape()[tensor.shape().rank() - 2]);
  return {scale, scale, 0, 0, static_cast<int>(width * scale), static_cast<int>(height * scale)};
}

NodeHarness::Run find(const Tensor& tensor, OptionList options = {}, float scale = 1) {
  NodeHarness node("ocr.boxes", std::move(options));
  EXPECT_THAT(node.open(), IsOk());
  return node.process(
      {{"prob", PayloadRef::make(tensor)}, {"map", PayloadRef::make(page_of(tensor, scale))}});
}

std::vector<Quad> boxes(const Tensor& tensor, OptionList options = {}, float scale = 1) {
  const auto run = find(tensor, std::move(options), scale);
  EXPECT_THAT(run.status, IsOk());
  std::vector<Quad> quads;
  for (const PayloadRef& quad : run.out().at(0).items()) quads.push_back(quad.get<Quad>());
  return quads;
}

void expect_near(const Quad& quad, const std::array<Point, 4>& corners, float tolerance) {
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(quad.corners[i].x, corners[i].x, tolerance) << "corner " << i;
    EXPECT_NEAR(quad.corners[i].y, corners[i].y, tolerance) << "corner " << i;
  }
}

TEST(OcrBoxes, FindsNothingOnABlankMap) { EXPECT_TRUE(boxes(Map(64, 64).tensor()).empty()); }

TEST(OcrBoxes, GrowsALineByItsAreaOverItsPerimeter) {
  // 20 x 8 pixels are 19 x 7 between their middles: 133 * 1.6 / 52 = 4.1 pixels outwards.
  const auto found =
      boxes(Map(64, 64).rectangle(20, 30, 40, 38, 0.9F).tensor(), {{"dilate", false}});

  ASSERT_EQ(found.size(), 1u);
  expect_near(found[0], {{{16, 26}, {43, 26}, {43, 41}, {16, 41}}}, 1);
  EXPECT_NEAR(found[0].score, 0.9, 1e-5);
}

TEST(OcrBoxes, LeavesTheSizeWhenToldNotToGrow) {
  const auto found = boxes(Map(64, 64).rectangle(20, 30, 40, 38, 0.9F).tensor(),
                           {{"dilate", false}, {"unclip", 0.0}});

  ASSERT_EQ(found.size(), 1u);
  expect_near(found[0], {{{20, 30}, {39, 30}, {39, 37}, {20, 37}}}, 0.01F);
}

TEST(OcrBoxes, GivesCornersInPixelsOfThePage) {
  const auto found = boxes(Map(64, 64).rectangle(20, 30, 40, 38, 0.9F).tensor(),
                           {{"dilate", false}, {"unclip", 0.0}}, 2.5F);

  ASSERT_EQ(found.size(), 1u);
  expect_near(found[0], {{{50, 75}, {98, 75}, {98, 92}, {50, 92}}}, 1);
}

TEST(OcrBoxes, AddsTheOffsetOfATensorThatIsAPartOfThePage) {
  const Tensor tensor = Map(64, 64).rectangle(20, 30, 40, 38, 0.9F).tensor();
  NodeHarness node("ocr.boxes", {{"dilate", false}, {"unclip", 0.0}});
  ASSERT_THAT(node.open(), IsOk());
  const auto run = node.process({{"prob", PayloadRef::make(tensor)},
                                 {"map", PayloadRef::make(ImageMap{1, 1, -10, 5, 300, 300})}});

  ASSERT_EQ(run.out().at(0).items().size(), 1u);
  expect_near(run.out()[0].items()[0].get<Quad>(), {{{10, 35}, {29, 35}, {29, 42}, {10, 42}}},
              0.01F);
}

TEST(OcrBoxes, StaysOnThePageWhenAllIsText) {
  const auto found = boxes(Map(64, 48).rectangle(0, 0, 64, 48, 1).tensor());

  ASSERT_EQ(found.size(), 1u);
  expect_near(found[0], {{{0, 0}, {63, 0}, {63, 47}, {0, 47}}}, 0.01F);
}

TEST(OcrBoxes, FollowsASlantedLine) {
  Map map(128, 128);
  for (int i = 0; i < 60; ++i) map.rectangle(20 + i, 30 + i / 2, 21 + i, 40 + i / 2, 0.8F);
  const auto found = boxes(map.tensor());

  ASSERT_EQ(found.size(), 1u);
  const auto& corners = found[0].corners;
  const double slope = (corners[1].y - corners[0].y) / (corners[1].x - corners[0].x);
  EXPECT_NEAR(slope, 0.5, 0.1);
}

TEST(OcrBoxes, ReadsRowsFromTopToBottomAndEachFromLeftToRight) {
  const auto found = boxes(Map(200, 120)
                               .rectangle(100, 12, 140, 22, 0.9F)  // first row, right, a bit higher
                               .rectangle(20, 15, 60, 25, 0.9F)    // first row, left
                               .rectangle(20, 80, 60, 90, 0.9F)    // second row
                               .tensor());

  ASSERT_EQ(found.size(), 3u);
  EXPECT_NEAR(found[0].corners[0].x, 20, 8);
  EXPECT_NEAR(found[1].corners[0].x, 100, 8);
  EXPECT_NEAR(found[2].corners[0].y, 80, 8);
}

TEST(OcrBoxes, JoinsPixelsThatAGapOfOneSeparates) {
  const Tensor tensor =
      Map(64, 64).rectangle(10, 30, 20, 40, 0.9F).rectangle(21, 30, 31, 40, 0.9F).tensor();

  EXPECT_EQ(boxes(tensor).size(), 1u);
  EXPECT_EQ(boxes(tensor, {{"dilate", false}}).size(), 2u);
}

TEST(OcrBoxes, LeavesSpecksAndDoubtfulLinesOut) {
  const Tensor tensor = Map(128, 64)
                            .rectangle(5, 5, 7, 7, 1)           // a speck
                            .rectangle(20, 30, 60, 40, 0.4F)    // text, but hardly
                            .rectangle(70, 30, 120, 40, 0.29F)  // under the threshold
                            .tensor();

  EXPECT_TRUE(boxes(tensor).empty());
  EXPECT_EQ(boxes(tensor, {{"min_score", 0.3}}).size(), 1u);
  EXPECT_EQ(boxes(tensor, {{"min_score", 0.1}, {"threshold", 0.2}}).size(), 2u);
}

TEST(OcrBoxes, FindsLinesAtTheEdge) {
  const auto found = boxes(Map(64, 64).rectangle(0, 0, 30, 8, 0.9F).tensor());

  ASSERT_EQ(found.size(), 1u);
  expect_near(found[0], {{{0, 0}, {34, 0}, {34, 12}, {0, 12}}}, 2);
}

TEST(OcrBoxes, LooksAtNoMoreThanMaxBoxes) {
  Map map(128, 128);
  for (int i = 0; i < 6; ++i) map.rectangle(10, 5 + 20 * i, 60, 13 + 20 * i, 0.9F);

  EXPECT_EQ(boxes(map.tensor()).size(), 6u);
  EXPECT_EQ(boxes(map.tensor(), {{"max_boxes", std::int64_t{4}}}).size(), 4u);
}

TEST(OcrBoxes, TakesNanForNoText) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor tensor =
      Map(64, 64).rectangle(0, 0, 64, 64, nan).rectangle(20, 30, 40, 38, 0.9F).tensor();

  for (const Quad& quad : boxes(tensor)) {
    for (const Point& corner : quad.corners) EXPECT_TRUE(std::isfinite(corner.x + corner.y));
  }
}

TEST(OcrBoxes, TakesAMapOfOneRow) {
  EXPECT_TRUE(boxes(Map(64, 1).rectangle(0, 0, 64, 1, 1).tensor()).empty());
  EXPECT_TRUE(boxes(Map(1, 1).rectangle(0, 0, 1, 1, 1).tensor()).empty());
}

TEST(OcrBoxes, TakesAMapWithoutItsFirstAxis) {
  const Tensor tensor = Map(64, 64).rectangle(20, 30, 40, 38, 0.9F).tensor();

  EXPECT_EQ(boxes(tensor.reshaped({64, 64})).size(), 1u);
}

TEST(OcrBoxes, RejectsOtherShapes) {
  EXPECT_THAT(find(*Tensor::allocate(DType::kF32, {2, 8, 8})).status,
              FailsWith("ocr.shape", "[2,8,8]"));
  EXPECT_THAT(find(*Tensor::allocate(DType::kU8, {8, 8})).status, FailsWith("ocr.shape"));
  EXPECT_THAT(find(*Tensor::allocate(DType::kF32, {1, 0, 8})).status, FailsWith("ocr.shape"));
}

TEST(OcrBoxes, RefusesAModelThatGivesSomethingElse) {
  NodeHarness node("ocr.boxes");
  PortType type = PortType::of<Tensor>();
  type.tensor = TensorType{DType::kF32, std::vector<Dim>{{3, ""}, {-1, "H"}, {-1, "W"}}, "chw"};
  node.wire("prob", type);

  EXPECT_THAT(node.open(), FailsWith("node.resolve", "SL0403"));
}

}  // namespace
}  // namespace sluice
