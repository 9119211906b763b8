#include "sluice/core/status.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::IsOk;

TEST(Status, IsOkByDefaultAndHasNoText) {
  const Status status;

  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(status.code(), Code::kOk);
  EXPECT_EQ(status.reason(), "");
  EXPECT_EQ(status.message(), "");
}

TEST(Status, KeepsCodeAndReasonWhenContextIsAdded) {
  const Status inner = not_found("file.missing", "no such file");

  const Status outer = inner.with_context("pages/1.png");

  EXPECT_EQ(outer.code(), Code::kNotFound);
  EXPECT_THAT(outer, FailsWith("file.missing", "pages/1.png: no such file"));
  EXPECT_THAT(Status::ok().with_context("anywhere"), IsOk());
}

TEST(Result, HoldsAValueOrWhyThereIsNone) {
  const Result<int> good = 7;
  const Result<int> bad = invalid("number.small", "7 is too small");

  EXPECT_EQ(*good, 7);
  EXPECT_THAT(good.status(), IsOk());
  EXPECT_THAT(bad, FailsWith("number.small", "too small"));
}

TEST(Result, GivesItsValueAway) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(3);

  const std::unique_ptr<int> taken = std::move(*result);

  EXPECT_EQ(*taken, 3);
}

}  // namespace
}  // namespace sluice
