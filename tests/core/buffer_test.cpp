#include "sluice/core/buffer.h"

#include "sluice/core/block_pool.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace sluice {
namespace {

using testing::FailsWith;

TEST(Buffer, IsAlignedAndAsLargeAsAskedFor) {
  for (const std::size_t size : {0, 1, 63, 64, 65, 4096, 65536, 65537, 100'000, 3'000'000}) {
    const Buffer buffer = *Buffer::allocate(size);

    EXPECT_EQ(buffer.size_bytes(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u) << size;
    std::memset(buffer.data(), 0xAB, size);
  }
}

TEST(Buffer, WastesAtMostAnEighthOfABlock) {
  constexpr std::size_t kHeader = 64;  // in front of the bytes, in the same block
  BlockPool::trim();
  for (std::size_t size = 65; size < (1u << 20); size = size * 21 / 20 + 1) {
    { const Buffer buffer = *Buffer::allocate(size); }

    const std::size_t idle = BlockPool::stats().idle_bytes;

    EXPECT_GE(idle, size);
    EXPECT_LE(idle, kHeader + size + (kHeader + size) / 8 + 8) << size;
    BlockPool::trim();
  }
}

TEST(Buffer, IsUniqueUntilItIsCopied) {
  Buffer first = *Buffer::allocate(100);
  EXPECT_TRUE(first.is_unique());

  Buffer second = first;
  EXPECT_FALSE(first.is_unique());
  EXPECT_EQ(first.data(), second.data());

  second = Buffer();
  EXPECT_TRUE(first.is_unique());
  EXPECT_FALSE(Buffer().is_unique());
}

TEST(Buffer, ReusesWhatWasGivenBack) {
  BlockPool::trim();
  const std::byte* first = Buffer::allocate(4096)->data();
  const std::uint64_t reused = BlockPool::stats().reused;

  const Buffer second = *Buffer::allocate(4096);

  EXPECT_EQ(second.data(), first);
  EXPECT_EQ(BlockPool::stats().reused, reused + 1);
}

TEST(Buffer, ChargesItsBudgetUntilTheLastCopyIsGone) {
  const auto budget = std::make_shared<MemoryBudget>(1000);
  Buffer first = *Buffer::allocate(600, budget);
  Buffer copy = first;

  EXPECT_THAT(Buffer::allocate(401, budget), FailsWith("memory.limit", "400 of 1000 left"));
  first = Buffer();
  EXPECT_EQ(budget->used_bytes(), 600u);
  copy = Buffer();

  EXPECT_EQ(budget->used_bytes(), 0u);
  EXPECT_EQ(budget->peak_bytes(), 600u);
}

TEST(Buffer, RefusesWhatNoMachineHas) {
  const auto budget = std::make_shared<MemoryBudget>();

  EXPECT_THAT(Buffer::allocate(SIZE_MAX, budget), FailsWith("memory.exhausted"));
  EXPECT_EQ(budget->used_bytes(), 0u);
}

TEST(Buffer, KeepsTheOwnerOfAdoptedBytes) {
  auto owner = std::make_shared<std::vector<std::byte>>(16);
  const std::weak_ptr<std::vector<std::byte>> watch = owner;
  std::byte* data = owner->data();
  Buffer buffer = Buffer::adopt(data, 16, MemoryKind::kPinned, std::move(owner));
  EXPECT_EQ(buffer.kind(), MemoryKind::kPinned);
  EXPECT_FALSE(watch.expired());

  buffer = Buffer();

  EXPECT_TRUE(watch.expired());
}

TEST(Buffer, MayBeReleasedOnAnotherThread) {
  const auto budget = std::make_shared<MemoryBudget>();
  for (int round = 0; round < 4; ++round) {
    std::vector<Buffer> buffers;
    for (int i = 0; i < 200; ++i) buffers.push_back(*Buffer::allocate(1000 + 100 * i, budget));

    std::thread([released = std::move(buffers)]() mutable { released.clear(); }).join();
  }

  EXPECT_EQ(budget->used_bytes(), 0u);
}

TEST(Buffer, GivesIdleBlocksBackWhenTrimmed) {
  { const Buffer small = *Buffer::allocate(100); }
  { const Buffer large = *Buffer::allocate(1'000'000); }
  EXPECT_GT(BlockPool::stats().idle_bytes, 1'000'000u);

  BlockPool::trim();

  EXPECT_EQ(BlockPool::stats().idle_bytes, 0u);
}

TEST(MemoryBudget, HoldsItsLimitUnderManyThreads) {
  MemoryBudget budget(100);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        if (budget.try_charge(30)) budget.release(30);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(budget.used_bytes(), 0u);
  EXPECT_LE(budget.peak_bytes(), 90u);
}

}  // namespace
}  // namespace sluice
