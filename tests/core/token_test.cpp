#include "sluice/core/token.h"

#include "tests/support/token_watcher.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace sluice {
namespace {

using testing::TokenWatcher;

Rejection rejection(std::string reason) { return {"decode", invalid(std::move(reason), "bad"), 1}; }

TEST(Token, IsDeliveredWhenItsLastShareIs) {
  TokenWatcher watcher;
  TokenRef first = watcher.make("a");
  TokenRef second = first.share();

  first.deliver();
  EXPECT_TRUE(watcher.all.empty());
  second.deliver();

  ASSERT_EQ(watcher.all.size(), 1u);
  EXPECT_EQ(watcher.all[0].outcome, Outcome::kDelivered);
  EXPECT_EQ(watcher.all[0].key, "a");
}

TEST(Token, IsRejectedWhateverTheOtherSharesDo) {
  TokenWatcher watcher;
  TokenRef first = watcher.make("a");
  TokenRef second = first.share();
  TokenRef third = first.share();

  first.reject(rejection("image.truncated"));
  second.drop();
  third.reject(rejection("image.unsupported"));

  ASSERT_EQ(watcher.all.size(), 1u);
  EXPECT_EQ(watcher.all[0].outcome, Outcome::kRejected);
  EXPECT_EQ(watcher.all[0].rejected_parts, 2u);
  EXPECT_EQ(watcher.all[0].reason, "image.truncated") << "the first one";
  EXPECT_EQ(watcher.all[0].node, "decode");
}

TEST(Token, IsDroppedWhenAPolicyDroppedAPart) {
  TokenWatcher watcher;
  TokenRef first = watcher.make("a");
  TokenRef second = first.share();

  first.drop();
  second.deliver();

  ASSERT_EQ(watcher.all.size(), 1u);
  EXPECT_EQ(watcher.all[0].outcome, Outcome::kDropped);
}

TEST(Token, IsUnfinishedWhenAShareIsMerelyDestroyed) {
  TokenWatcher watcher;
  {
    TokenRef first = watcher.make("a");
    TokenRef second = first.share();
    second.deliver();
  }

  ASSERT_EQ(watcher.all.size(), 1u);
  EXPECT_EQ(watcher.all[0].outcome, Outcome::kUnfinished);
}

TEST(Token, SettlesOnceUnderManyThreads) {
  TokenWatcher watcher;
  for (int round = 0; round < 200; ++round) {
    TokenRef token = watcher.make("a");
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([share = token.share(), t]() mutable {
        if (t == 0) {
          share.reject(rejection("bad"));
        } else {
          share.deliver();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    token.deliver();
  }

  ASSERT_EQ(watcher.all.size(), 200u);
  for (const auto& settled : watcher.all) EXPECT_EQ(settled.outcome, Outcome::kRejected);
}

}  // namespace
}  // namespace sluice
