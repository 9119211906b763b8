#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::IsOk;

TEST(Discard, TakesAnythingAndKeepsNothing) {
  NodeHarness node("discard");
  node.wire("in", PortType::of<Text>());
  ASSERT_THAT(node.open(), IsOk());
  const auto budget = node.budget();
  PayloadRef bytes = PayloadRef::make(Bytes{*Buffer::allocate(1000, budget), "x"});

  EXPECT_THAT(node.process({{"in", bytes}}).status, IsOk());
  EXPECT_THAT(node.process({{"in", PayloadRef::make(Text{"y"})}}).status, IsOk());
  bytes = {};
  EXPECT_EQ(budget->used_bytes(), 0u);
}

}  // namespace
}  // namespace sluice
