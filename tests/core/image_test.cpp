#include "sluice/core/image.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::FailsWith;

TEST(Image, HasRowsOfInterleavedPixels) {
  const Image image = *Image::allocate(5, 4, 3);

  EXPECT_EQ(image.stride_bytes(), 15u);
  EXPECT_EQ(image.size_bytes(), 60u);
  EXPECT_EQ(image.row(2) - image.row(0), 30);
}

TEST(Image, RefusesSizesThatNoPictureHas) {
  EXPECT_THAT(Image::allocate(0, 4, 3), FailsWith("image.size", "0 x 4"));
  EXPECT_THAT(Image::allocate(4, -1, 3), FailsWith("image.size"));
  EXPECT_THAT(Image::allocate(4, 4, 2), FailsWith("image.size", "2 channels"));
  EXPECT_THAT(Image::allocate(1 << 30, 4, 3), FailsWith("image.size"));
}

TEST(Image, IsRejectedByTheMemoryLimitBeforeItIsMade) {
  const auto budget = std::make_shared<MemoryBudget>(1 << 20);

  EXPECT_THAT(Image::allocate(60000, 60000, 3, budget), FailsWith("memory.limit"));
  EXPECT_EQ(budget->peak_bytes(), 0u);
}

}  // namespace
}  // namespace sluice
