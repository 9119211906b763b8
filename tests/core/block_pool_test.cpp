#include "sluice/core/block_pool.h"

#include "tests/support/sanitizers.h"

#include <gtest/gtest.h>

#include <cstddef>

namespace sluice {
namespace {

TEST(BlockPool, GivesTheBlockThatCameBackLast) {
  void* const first = BlockPool::take(100);
  void* const second = BlockPool::take(100);
  BlockPool::give(first, 100);
  BlockPool::give(second, 100);

  EXPECT_EQ(BlockPool::take(100), second);
  EXPECT_EQ(BlockPool::take(100), first);

  BlockPool::give(first, 100);
  BlockPool::give(second, 100);
}

#if SLUICE_TEST_ASAN
// Of a small block, which the thread keeps, and of one on a shared list.
class BlockPoolDeathTest : public ::testing::TestWithParam<std::size_t> {};

TEST_P(BlockPoolDeathTest, CatchesAReadOfABlockThatWasGivenBack) {
  const std::size_t size = GetParam();
  auto* const block = static_cast<volatile char*>(BlockPool::take(size));
  block[0] = 1;
  block[size - 1] = 1;
  BlockPool::give(const_cast<char*>(block), size);

  EXPECT_DEATH(static_cast<void>(block[0]), "use-after-poison");
  EXPECT_DEATH(static_cast<void>(block[size - 1]), "use-after-poison");
}

TEST_P(BlockPoolDeathTest, CatchesAWritePastTheBytesAskedFor) {
  const std::size_t size = GetParam();
  auto* const block = static_cast<volatile char*>(BlockPool::take(size));

  EXPECT_DEATH(block[size] = 1, "use-after-poison|heap-buffer-overflow");

  BlockPool::give(const_cast<char*>(block), size);
}

INSTANTIATE_TEST_SUITE_P(Sizes, BlockPoolDeathTest, ::testing::Values(100, 1'000'001));
#endif

}  // namespace
}  // namespace sluice
