#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::IsOk;

PayloadRef texts(int count) {
  List<Text> list;
  for (int i = 0; i < count; ++i) list.push_back({std::to_string(i)});
  return PayloadRef::make_list(payload_type<Text>(), std::move(list).take());
}

TEST(Split, GivesTheElementsInOrderWithoutCopies) {
  NodeHarness node("split");
  node.wire("in", {&list_of(payload_type<Text>()), {}, {}});
  ASSERT_THAT(node.open(), IsOk());
  const PayloadRef list = texts(3);

  const auto run = node.process({{"in", list}});

  ASSERT_EQ(run.out().size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(run.out()[i].data(), list.items()[i].data());
  EXPECT_EQ(node.ports().outputs[0].type.to_string(), "Text");
}

TEST(Split, GivesNothingForAnEmptyList) {
  NodeHarness node("split");
  node.wire("in", {&list_of(payload_type<Text>()), {}, {}});
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process({{"in", texts(0)}});

  EXPECT_THAT(run.status, IsOk());
  EXPECT_TRUE(run.out().empty());
}

TEST(Split, RejectsAListThatIsTooLong) {
  NodeHarness node("split", {{"max", std::int64_t{2}}});
  node.wire("in", {&list_of(payload_type<Text>()), {}, {}});
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_THAT(node.process({{"in", texts(2)}}).status, IsOk());
  const auto run = node.process({{"in", texts(3)}});
  EXPECT_THAT(run.status, FailsWith("split.too_many", "3 elements"));
  EXPECT_TRUE(run.out().empty());
}

TEST(Split, TakesListsOnly) {
  NodeHarness node("split");
  node.wire("in", PortType::of<Text>());

  EXPECT_THAT(node.open(), FailsWith("node.resolve", "SL0406"));
}

}  // namespace
}  // namespace sluice
