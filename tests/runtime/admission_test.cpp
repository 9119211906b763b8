#include "sluice/runtime/admission.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

std::shared_ptr<MemoryBudget> budget_of(std::size_t bytes) {
  return std::make_shared<MemoryBudget>(bytes);
}

TEST(Admission, LetsInUpToItsCredits) {
  Admission admission(2, 64, budget_of(1 << 20));

  EXPECT_TRUE(admission.has_room());
  admission.admitted();
  EXPECT_TRUE(admission.has_room());
  admission.admitted();

  EXPECT_FALSE(admission.has_room());
}

TEST(Admission, GainsACreditWithEachSettledItemUpToItsMost) {
  Admission admission(1, 3, budget_of(1 << 20));
  for (int i = 0; i < 5; ++i) {
    admission.admitted();
    admission.settled(1);
  }

  int let_in = 0;
  for (; admission.has_room(); ++let_in) admission.admitted();

  EXPECT_EQ(let_in, 3);
}

TEST(Admission, LetsInOneItemHoweverLarge) {
  Admission admission(4, 64, budget_of(100));
  admission.admitted();
  admission.settled(1000);

  EXPECT_TRUE(admission.has_room());
  admission.admitted();
  EXPECT_FALSE(admission.has_room());
}

TEST(Admission, AsksForMemoryOfTheLargestItemSeen) {
  Admission admission(8, 64, budget_of(100));
  admission.admitted();
  admission.settled(30);

  int let_in = 0;
  for (; admission.has_room(); ++let_in) admission.admitted();

  EXPECT_EQ(let_in, 3);
}

TEST(Admission, SaysThatARefusedSourceIsToBeWoken) {
  Admission admission(1, 1, budget_of(100));
  admission.admitted();
  EXPECT_FALSE(admission.has_room());

  EXPECT_TRUE(admission.settled(1));
  admission.admitted();
  EXPECT_FALSE(admission.settled(1));
}

}  // namespace
}  // namespace sluice
