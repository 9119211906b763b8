#include "tests/runtime/lanes/scenarios.h"
#include "tests/support/sanitizers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

using ::testing::IsEmpty;
using testing::Violations;

// Each seed draws lanes, slots, sizes, delays and what goes wrong. All of it is on one thread, so
// ThreadSanitizer has little to see.
void expect_none(Violations (*scenario)(std::uint64_t seed, LaneFault fault),
                 std::uint64_t seeds = SLUICE_TEST_TSAN ? 5 : 50) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    EXPECT_THAT(scenario(seed, LaneFault::kNone), IsEmpty()) << "seed " << seed;
  }
}

TEST(LaneProperties, HoldWithManyCallers) { expect_none(testing::steady); }

TEST(LaneProperties, BringEachFailureToItsItemAlone) { expect_none(testing::failing); }

TEST(LaneProperties, HoldWhereResultsStayOnTheDevice) { expect_none(testing::handed_on); }

TEST(LaneProperties, HoldWhenTheDeviceIsLost) { expect_none(testing::lost); }

TEST(LaneProperties, HoldWhenKernelsHang) { expect_none(testing::overdue); }

TEST(LaneProperties, HoldWhenCancelledAndDestroyedInAnyState) { expect_none(testing::cancelled); }

TEST(LaneProperties, KeepTheRateHoweverManyCall) { expect_none(testing::loaded); }

TEST(LaneProperties, KeepTheBusiestEngineBusy) { expect_none(testing::overlapping, 5); }

}  // namespace
}  // namespace sluice
