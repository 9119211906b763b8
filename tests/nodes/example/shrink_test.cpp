#include "sluice/core/node_harness.h"

#include "tests/nodes/image/pictures.h"
#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using testing::image_of;
using testing::IsOk;
using testing::pixels_of;

NodeHarness::Run shrink(const Image& image, std::int64_t factor) {
  NodeHarness node("example.shrink", {{"factor", factor}});
  EXPECT_THAT(node.open(), IsOk());
  return node.process({{"image", PayloadRef::make(image)}});
}

TEST(Shrink, GivesTheMeanOfEachBlock) {
  const Image image = image_of(5, 2, 1, [](int x, int y, int) { return 10 * x + y; });

  EXPECT_THAT(pixels_of(shrink(image, 2).out().at(0).get<Image>()), ElementsAre(6, 26));
}

TEST(Shrink, RejectsAPictureThatWouldVanish) {
  EXPECT_THAT(shrink(image_of(9, 3, 3, [](int, int, int) { return 0; }), 4).status,
              FailsWith("shrink.too_small", "9 x 3"));
}

}  // namespace
}  // namespace sluice
