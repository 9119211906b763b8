#include "sluice/core/node_harness.h"

#include "tests/nodes/image/pictures.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::image_of;
using testing::IsOk;
using testing::pixel;
using testing::tensor_of;

NodeHarness::Run run_turn(const Image& line, const Tensor& turned,
                          NodeHarness::OptionList options = {}) {
  NodeHarness node("ocr.turn", std::move(options));
  EXPECT_THAT(node.open(), IsOk());
  return node.process({{"image", PayloadRef::make(line)}, {"turned", PayloadRef::make(turned)}});
}

Tensor scores(float upright, float on_its_head) {
  return tensor_of<float>({2}, {upright, on_its_head});
}

Image uneven(int channels) {
  return image_of(17, 5, channels, [](int x, int y, int c) { return 50 * c + 3 * x + 10 * y; });
}

// Whether the node turns a line of these scores; ends the test where it does neither that nor
// nothing.
bool turns(const Tensor& turned, NodeHarness::OptionList options = {}) {
  const Image line = uneven(3);
  const auto run = run_turn(line, turned, std::move(options));
  EXPECT_THAT(run.status, IsOk());
  const Image& out = run.out().at(0).get<Image>();
  return out.row(0) != line.row(0);
}

TEST(OcrTurn, TurnsALineByHalfACircle) {
  for (const int channels : {1, 3}) {
    const Image line = uneven(channels);
    const auto run = run_turn(line, scores(0.02F, 0.98F));

    ASSERT_THAT(run.status, IsOk());
    const Image& out = run.out().at(0).get<Image>();
    ASSERT_EQ(out.width(), line.width());
    ASSERT_EQ(out.height(), line.height());
    ASSERT_EQ(out.channels(), channels);
    for (int y = 0; y < line.height(); ++y) {
      for (int x = 0; x < line.width(); ++x) {
        for (int c = 0; c < channels; ++c) {
          ASSERT_EQ(pixel(out, x, y, c),
                    pixel(line, line.width() - 1 - x, line.height() - 1 - y, c));
        }
      }
    }
  }
}

TEST(OcrTurn, PassesAnUprightLineWithoutACopy) {
  const Image line = uneven(3);
  const auto run = run_turn(line, scores(0.98F, 0.02F));

  ASSERT_THAT(run.status, IsOk());
  EXPECT_EQ(run.out().at(0).get<Image>().row(0), line.row(0));
}

TEST(OcrTurn, TurnsOnlyWhatIsSurelyOnItsHead) {
  EXPECT_FALSE(turns(scores(0.11F, 0.89F)));
  EXPECT_TRUE(turns(scores(0.09F, 0.91F)));
  EXPECT_TRUE(turns(scores(0.4F, 0.6F), {{"min_score", 0.5}}));
  EXPECT_FALSE(turns(scores(0, 1), {{"min_score", 1.0}}));
  EXPECT_FALSE(turns(scores(0, std::numeric_limits<float>::quiet_NaN())));
}

TEST(OcrTurn, RejectsOtherShapes) {
  const Image line = uneven(3);
  EXPECT_THAT(run_turn(line, tensor_of<float>({3}, {0, 1, 0})).status,
              FailsWith("ocr.shape", "[3]"));
  EXPECT_THAT(run_turn(line, tensor_of<float>({1, 2}, {0, 1})).status, FailsWith("ocr.shape"));
  EXPECT_THAT(run_turn(line, tensor_of<std::int32_t>({2}, {0, 1})).status, FailsWith("ocr.shape"));
}

}  // namespace
}  // namespace sluice
