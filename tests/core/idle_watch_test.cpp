#include "sluice/core/idle_watch.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(IdleWatch, CallsAllBlocksStaleOfAListThatNobodyUsed) {
  IdleWatch watch;
  watch.use(0, seconds(100));
  watch.use(7, seconds(100));

  EXPECT_EQ(watch.take_stale(7, seconds(105)), 7u);
}

TEST(IdleWatch, LeavesABusyListWhatItNeeded) {
  IdleWatch watch;
  watch.use(7, seconds(100));
  EXPECT_EQ(watch.take_stale(7, seconds(101)), 0u);  // from before the first look on: not known

  watch.use(3, seconds(102));
  watch.use(7, seconds(103));
  EXPECT_EQ(watch.take_stale(7, seconds(106)), 3u);  // 4 of the 7 were needed
  watch.use(2, seconds(107));
  watch.use(4, seconds(108));
  EXPECT_EQ(watch.take_stale(4, seconds(111)), 2u);
}

TEST(IdleWatch, TakesNoMoreThanTheListHolds) {
  IdleWatch watch;
  watch.use(5, seconds(100));
  EXPECT_EQ(watch.take_stale(5, seconds(100)), 0u);
  watch.use(5, seconds(101));

  EXPECT_EQ(watch.take_stale(2, seconds(102)), 2u);  // others emptied it meanwhile
}

TEST(IdleWatch, WaitsForTheWholeOfTheLimit) {
  IdleWatch watch;
  watch.use(7, seconds(100));

  EXPECT_EQ(watch.take_stale(7, seconds(105) - milliseconds(1)), 0u);
  EXPECT_EQ(watch.take_stale(7, seconds(105)), 7u);
}

}  // namespace
}  // namespace sluice
