#include "sluice/runtime/admission.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

std::shared_ptr<MemoryBudget> budget_of(std::size_t bytes) {
  return std::make_shared<MemoryBudget>(bytes);
}

TEST(Admission, LetsInUpToItsCredits) {
  Admission admission(1, 2, 64, budget_of(1 << 20));

  EXPECT_EQ(admission.let_in(0, 1), 1);
  EXPECT_EQ(admission.let_in(0, 5), 1);

  EXPECT_EQ(admission.let_in(0, 1), 0);
  EXPECT_EQ(admission.in_flight(), 2);
}

TEST(Admission, GainsACreditWithEachSettledItemUpToItsMost) {
  Admission admission(1, 1, 3, budget_of(1 << 20));
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(admission.let_in(0, 1), 1);
    admission.settled(0, 1, 1);
  }

  EXPECT_EQ(admission.let_in(0, 64), 3);
}

TEST(Admission, GainsNoMoreThanItsMostFromABurst) {
  Admission admission(1, 2, 3, budget_of(1 << 20));
  ASSERT_EQ(admission.let_in(0, 2), 2);
  admission.settled(0, 2, 1);

  EXPECT_EQ(admission.let_in(0, 64), 3);
}

TEST(Admission, LetsInOneItemHoweverLarge) {
  Admission admission(1, 4, 64, budget_of(100));
  ASSERT_EQ(admission.let_in(0, 1), 1);
  admission.settled(0, 1, 1000);

  EXPECT_EQ(admission.let_in(0, 4), 1);
  EXPECT_EQ(admission.let_in(0, 1), 0);
}

TEST(Admission, AsksForMemoryOfTheLargestItemSeen) {
  Admission admission(1, 8, 64, budget_of(100));
  ASSERT_EQ(admission.let_in(0, 1), 1);
  admission.settled(0, 1, 30);

  EXPECT_EQ(admission.let_in(0, 8), 3);
}

TEST(Admission, SaysThatARefusedSourceIsToBeWoken) {
  Admission admission(1, 1, 1, budget_of(100));
  ASSERT_EQ(admission.let_in(0, 1), 1);
  ASSERT_EQ(admission.let_in(0, 1), 0);

  EXPECT_TRUE(admission.settled(0, 1, 1));
  ASSERT_EQ(admission.let_in(0, 1), 1);
  EXPECT_FALSE(admission.settled(0, 1, 1));
}

TEST(Admission, TakesBackWhatASourceDoesNotMake) {
  Admission admission(1, 4, 4, budget_of(100));
  ASSERT_EQ(admission.let_in(0, 4), 4);
  ASSERT_EQ(admission.let_in(0, 1), 0);

  EXPECT_TRUE(admission.give_back(0, 3));
  EXPECT_EQ(admission.in_flight(), 1);
  EXPECT_EQ(admission.let_in(0, 4), 3);
}

TEST(Admission, GivesEachSourceCreditsOfItsOwn) {
  Admission admission(2, 4, 4, budget_of(1 << 20));
  ASSERT_EQ(admission.let_in(0, 64), 4);

  EXPECT_EQ(admission.let_in(1, 64), 4);
  EXPECT_EQ(admission.in_flight(), 8);
}

TEST(Admission, SharesTheMemoryAmongTheSources) {
  Admission admission(2, 8, 64, budget_of(100));
  for (const std::size_t source : {0, 1}) {
    ASSERT_EQ(admission.let_in(source, 1), 1);
    admission.settled(source, 1, 30);
  }
  ASSERT_EQ(admission.let_in(0, 2), 2);

  EXPECT_EQ(admission.let_in(1, 8), 1);
}

TEST(Admission, LetsEverySourceMakeOneItem) {
  Admission admission(2, 4, 64, budget_of(100));
  for (const std::size_t source : {0, 1}) {
    ASSERT_EQ(admission.let_in(source, 1), 1);
    admission.settled(source, 1, 90);
  }
  ASSERT_EQ(admission.let_in(0, 1), 1);

  EXPECT_EQ(admission.let_in(1, 4), 1) << "else a source could wait for another for ever";
}

}  // namespace
}  // namespace sluice
