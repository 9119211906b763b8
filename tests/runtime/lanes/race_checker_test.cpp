#include "sluice/runtime/lanes/race_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Two streams, and some memory that both use.
class RaceCheckerTest : public ::testing::Test {
 protected:
  RaceCheckerTest() { checker_.add_memory(bytes_.data(), bytes_.size(), "memory"); }

  void work(std::size_t stream, Access access, std::size_t begin = 0, std::size_t size = 8) {
    checker_.queue_work(stream);
    checker_.access(stream, bytes_.data() + begin, size, access,
                    "stream " + std::to_string(stream));
  }
  void host(Access access) {
    checker_.access(RaceChecker::kHost, bytes_.data(), 8, access, "the host");
  }
  // What an event that is recorded now knows.
  RaceChecker::VectorClock record(std::size_t stream) {
    checker_.queue_work(stream);
    return checker_.known_to(stream);
  }

  std::array<std::byte, 16> bytes_{};
  RaceChecker checker_;
  const std::size_t a_ = checker_.add_stream();
  const std::size_t b_ = checker_.add_stream();
};

TEST_F(RaceCheckerTest, TakesTheOrderOfAStream) {
  work(a_, Access::kWrite);
  work(a_, Access::kRead);
  work(a_, Access::kWrite);

  EXPECT_THAT(checker_.findings(), IsEmpty());
}

TEST_F(RaceCheckerTest, FindsAReadThatDoesNotWaitForTheWrite) {
  work(a_, Access::kWrite);
  work(b_, Access::kRead);

  EXPECT_THAT(checker_.findings(),
              ElementsAre("not ordered: `stream 2` reads memory, which `stream 1` writes"));
}

TEST_F(RaceCheckerTest, FindsAWriteThatDoesNotWaitForTheRead) {
  work(a_, Access::kRead);
  work(b_, Access::kWrite);

  EXPECT_THAT(checker_.findings(),
              ElementsAre("not ordered: `stream 2` writes memory, which `stream 1` reads"));
}

TEST_F(RaceCheckerTest, LetsReadersReadSideBySide) {
  work(a_, Access::kRead);
  work(b_, Access::kRead);
  host(Access::kRead);

  EXPECT_THAT(checker_.findings(), IsEmpty());
}

TEST_F(RaceCheckerTest, TakesTheOrderOfAnEvent) {
  work(a_, Access::kWrite);
  checker_.wait(b_, record(a_));
  work(b_, Access::kRead);

  EXPECT_THAT(checker_.findings(), IsEmpty());
}

TEST_F(RaceCheckerTest, KnowsThatAnEventSaysNothingOfLaterWork) {
  const auto early = record(a_);
  work(a_, Access::kWrite);
  checker_.wait(b_, early);
  work(b_, Access::kRead);

  EXPECT_THAT(checker_.findings(), ElementsAre(HasSubstr("not ordered")));
}

TEST_F(RaceCheckerTest, PassesOrderOnThroughAThirdStream) {
  const std::size_t c = checker_.add_stream();
  work(a_, Access::kWrite);
  checker_.wait(b_, record(a_));
  checker_.wait(c, record(b_));
  work(c, Access::kWrite);

  EXPECT_THAT(checker_.findings(), IsEmpty());
}

TEST_F(RaceCheckerTest, PutsQueuedWorkAfterWhatTheHostDid) {
  host(Access::kWrite);
  work(a_, Access::kRead);

  EXPECT_THAT(checker_.findings(), IsEmpty());
}

TEST_F(RaceCheckerTest, FindsAHostThatDoesNotWait) {
  work(a_, Access::kWrite);
  host(Access::kRead);

  EXPECT_THAT(checker_.findings(),
              ElementsAre("not ordered: `the host` reads memory, which `stream 1` writes"));
}

TEST_F(RaceCheckerTest, LetsAHostReadWhatItWasToldIsDone) {
  work(a_, Access::kWrite);
  checker_.tell_host(record(a_));
  host(Access::kRead);

  EXPECT_THAT(checker_.findings(), IsEmpty());
}

TEST_F(RaceCheckerTest, KeepsPartsOfMemoryApart) {
  work(a_, Access::kWrite, 0, 8);
  work(b_, Access::kWrite, 8, 8);
  EXPECT_THAT(checker_.findings(), IsEmpty());

  work(b_, Access::kWrite, 7, 1);
  EXPECT_THAT(checker_.findings(), ElementsAre(HasSubstr("not ordered")));
}

TEST_F(RaceCheckerTest, RemembersTheRestOfWhatIsPartlyWrittenAnew) {
  work(a_, Access::kWrite, 0, 16);
  checker_.wait(b_, record(a_));
  work(b_, Access::kWrite, 0, 8);
  const std::size_t c = checker_.add_stream();
  work(c, Access::kRead, 8, 8);

  EXPECT_THAT(checker_.findings(), ElementsAre(HasSubstr("which `stream 1` writes")));
}

TEST_F(RaceCheckerTest, FindsMemoryThatGoesTooEarly) {
  work(a_, Access::kRead);
  checker_.remove_memory(bytes_.data());

  EXPECT_THAT(checker_.findings(),
              ElementsAre("released too early: memory, which `stream 1` may still use"));
}

TEST_F(RaceCheckerTest, LetsMemoryGoThatNobodyUsesAnyMore) {
  work(a_, Access::kRead);
  checker_.tell_host(record(a_));
  checker_.remove_memory(bytes_.data());

  EXPECT_THAT(checker_.findings(), IsEmpty());
}

}  // namespace
}  // namespace sluice
