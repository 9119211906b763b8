#include "tests/runtime/lanes/scenarios.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

// The scheduler with one mistake in it, for each mistake there is: proof that the scenarios see it.

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Violations;

struct Case {
  LaneFault fault;
  const char* name;
  Violations (*scenario)(std::uint64_t seed, LaneFault fault);
  const char* finding;  // by which it is seen
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const Case kCases[] = {
    {LaneFault::kComputeSkipsWait, "ComputeSkipsWait", testing::steady,
     "not ordered: `triple` reads device memory"},
    {LaneFault::kCopyOutSkipsWait, "CopyOutSkipsWait", testing::steady,
     "not ordered: `copy out` reads device memory"},
    {LaneFault::kWaitBeforeRecord, "WaitBeforeRecord", testing::steady,
     "a wait for an event without a record"},
    {LaneFault::kEndBeforeCopyOut, "EndBeforeCopyOut", testing::steady,
     "not ordered: `the host` reads pinned memory"},
    {LaneFault::kOneStream, "OneStream", testing::overlapping, "overlap"},
    {LaneFault::kSlotFreeWhenQueued, "SlotFreeWhenQueued", testing::steady,
     "not ordered: `the host` writes pinned memory"},
    {LaneFault::kOutputReadWhenQueued, "OutputReadWhenQueued", testing::steady,
     "not ordered: `the host` reads pinned memory"},
    {LaneFault::kSlotFreeBeforeCopyOut, "SlotFreeBeforeCopyOut", testing::steady,
     "not ordered: `the host` reads pinned memory"},
    {LaneFault::kRefusedSlotFreeAtOnce, "RefusedSlotFreeAtOnce", testing::failing,
     "not ordered: `the host` writes pinned memory"},
    {LaneFault::kOverdueSlotFree, "OverdueSlotFree", testing::overdue,
     "not ordered: `the host` writes pinned memory"},
    {LaneFault::kInputsLetGoWhenQueued, "InputsLetGoWhenQueued", testing::handed_on,
     "not ordered: `copy within` writes device memory"},
    {LaneFault::kMemoryFreedByCancel, "MemoryFreedByCancel", testing::cancelled,
     "released too early"},
    {LaneFault::kSlotsShareOutput, "SlotsShareOutput", testing::steady, "not ordered"},
    {LaneFault::kOneSlotMore, "OneSlotMore", testing::steady, "in flight"},
    {LaneFault::kOneSlotOnly, "OneSlotOnly", testing::overlapping, "overlap"},
    {LaneFault::kOneLaneOnly, "OneLaneOnly", testing::overlapping, "half a device each: overlap"},
    {LaneFault::kLastInFirstOut, "LastInFirstOut", testing::steady, "started out of order"},
    {LaneFault::kFreedSlotCallsNobody, "FreedSlotCallsNobody", testing::steady,
     "work was left behind"},
    {LaneFault::kCancelForgetsWaiting, "CancelForgetsWaiting", testing::cancelled,
     "not all was told when the lanes had gone"},
    {LaneFault::kFailureIgnored, "FailureIgnored", testing::failing, "came out as ``, expected"},
    {LaneFault::kRefusalIgnored, "RefusalIgnored", testing::failing, "came out as ``, expected"},
    {LaneFault::kFailureSpreads, "FailureSpreads", testing::failing, "expected ``"},
    {LaneFault::kFailureNotDelivered, "FailureNotDelivered", testing::failing, "was told 0 times"},
    {LaneFault::kFailureDeliveredTwice, "FailureDeliveredTwice", testing::failing,
     "was told 2 times"},
    {LaneFault::kOverdueIgnored, "OverdueIgnored", testing::overdue, "work was left behind"},
    {LaneFault::kRecoveryIgnored, "RecoveryIgnored", testing::overdue,
     "lanes that recovered took no work"},
    // Each is given to the lost device then, and hears of it with its own words.
    {LaneFault::kWaitingSurvivesLoss, "WaitingSurvivesLoss", testing::lost,
     "later work is refused with other words"},
    {LaneFault::kLossForgotten, "LossForgotten", testing::lost, "later work was not refused"},
};

class LaneFaults : public ::testing::TestWithParam<Case> {};

TEST_P(LaneFaults, AreSeen) {
  constexpr std::uint64_t kSeeds = 10;  // a mistake may need its occasion
  Violations found;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    EXPECT_THAT(GetParam().scenario(seed, LaneFault::kNone), IsEmpty());
    Violations more = GetParam().scenario(seed, GetParam().fault);
    found.insert(found.end(), more.begin(), more.end());
    if (::testing::Value(found, Contains(HasSubstr(GetParam().finding)))) return;
  }
  EXPECT_THAT(found, Contains(HasSubstr(GetParam().finding)));
}

INSTANTIATE_TEST_SUITE_P(EachOne, LaneFaults, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(LaneFaultCases, AreAllThereAre) {
  std::set<LaneFault> faults;
  for (const Case& c : kCases) faults.insert(c.fault);

  EXPECT_EQ(faults.size(), static_cast<std::size_t>(kLastLaneFault));
  EXPECT_FALSE(faults.contains(LaneFault::kNone));
}

}  // namespace
}  // namespace sluice
