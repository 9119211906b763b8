#include "sluice/runtime/durations.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Durations, GiveQuantilesWithinAnEighth) {
  DurationCounter counter;
  for (std::uint64_t ns = 1; ns <= 100'000; ++ns) counter.add(ns);
  const Durations all = counter.so_far();

  EXPECT_EQ(all.count(), 100'000u);
  for (const double share : {0.01, 0.25, 0.5, 0.9, 0.99, 1.0}) {
    const double exact = share * 100'000;
    EXPECT_NEAR(static_cast<double>(all.quantile(share)), exact, exact / 8) << share;
  }
}

TEST(Durations, KnowSmallOnesExactly) {
  DurationCounter counter;
  for (const std::uint64_t ns : {0, 3, 3, 7}) counter.add(ns);

  EXPECT_EQ(counter.so_far().quantile(0), 0u);
  EXPECT_EQ(counter.so_far().quantile(0.5), 3u);
  EXPECT_EQ(counter.so_far().quantile(1), 7u);
}

TEST(Durations, TakeTheLongestThereAre) {
  DurationCounter counter;
  counter.add(UINT64_MAX);

  EXPECT_GT(counter.so_far().quantile(0.5), std::uint64_t{1} << 44);
}

TEST(Durations, OfNoneAreZero) { EXPECT_EQ(Durations().quantile(0.5), 0u); }

TEST(Durations, SinceALookLeaveOutWhatWasBefore) {
  DurationCounter counter;
  counter.add(5);
  const Durations before = counter.so_far();
  counter.add(1000);

  const Durations since = counter.so_far().since(before);

  EXPECT_EQ(since.count(), 1u);
  EXPECT_NEAR(static_cast<double>(since.quantile(0.5)), 1000, 1000 / 8);
}

}  // namespace
}  // namespace sluice
