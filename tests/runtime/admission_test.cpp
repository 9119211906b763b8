#include "sluice/runtime/admission.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

std::shared_ptr<MemoryBudget> budget_of(std::size_t bytes) {
  return std::make_shared<MemoryBudget>(bytes);
}

TEST(Admission, LetsInUpToItsCredits) {
  Admission admission(2, 64, budget_of(1 << 20));

  EXPECT_EQ(admission.let_in(1), 1);
  EXPECT_EQ(admission.let_in(5), 1);

  EXPECT_EQ(admission.let_in(1), 0);
  EXPECT_EQ(admission.in_flight(), 2);
}

TEST(Admission, GainsACreditWithEachSettledItemUpToItsMost) {
  Admission admission(1, 3, budget_of(1 << 20));
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(admission.let_in(1), 1);
    admission.settled(1, 1);
  }

  EXPECT_EQ(admission.let_in(64), 3);
}

TEST(Admission, GainsNoMoreThanItsMostFromABurst) {
  Admission admission(2, 3, budget_of(1 << 20));
  ASSERT_EQ(admission.let_in(2), 2);
  admission.settled(2, 1);

  EXPECT_EQ(admission.let_in(64), 3);
}

TEST(Admission, LetsInOneItemHoweverLarge) {
  Admission admission(4, 64, budget_of(100));
  ASSERT_EQ(admission.let_in(1), 1);
  admission.settled(1, 1000);

  EXPECT_EQ(admission.let_in(4), 1);
  EXPECT_EQ(admission.let_in(1), 0);
}

TEST(Admission, AsksForMemoryOfTheLargestItemSeen) {
  Admission admission(8, 64, budget_of(100));
  ASSERT_EQ(admission.let_in(1), 1);
  admission.settled(1, 30);

  EXPECT_EQ(admission.let_in(8), 3);
}

TEST(Admission, SaysThatARefusedSourceIsToBeWoken) {
  Admission admission(1, 1, budget_of(100));
  ASSERT_EQ(admission.let_in(1), 1);
  ASSERT_EQ(admission.let_in(1), 0);

  EXPECT_TRUE(admission.settled(1, 1));
  ASSERT_EQ(admission.let_in(1), 1);
  EXPECT_FALSE(admission.settled(1, 1));
}

TEST(Admission, TakesBackWhatASourceDoesNotMake) {
  Admission admission(4, 4, budget_of(100));
  ASSERT_EQ(admission.let_in(4), 4);
  ASSERT_EQ(admission.let_in(1), 0);

  EXPECT_TRUE(admission.give_back(3));
  EXPECT_EQ(admission.in_flight(), 1);
  EXPECT_EQ(admission.let_in(4), 3);
}

}  // namespace
}  // namespace sluice
