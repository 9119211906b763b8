#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"
#include "tests/support/token_watcher.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::TokenWatcher;

using Sent = NodeHarness::Sent;

GroupRef group_of(std::uint64_t parent, std::uint64_t first, std::uint64_t count,
                  GroupRef around = {}, PacketKind parent_kind = PacketKind::kItem) {
  Group group;
  group.parent_seq = parent;
  group.parent_kind = parent_kind;
  group.first_seq = first;
  group.count = count;
  group.parent_group = std::move(around);
  return GroupRef::make(std::move(group));
}

// The texts of a gathered list.
std::vector<std::string> texts_of(const Packet& packet) {
  std::vector<std::string> texts;
  for (const PayloadRef& child : packet.payload.items()) texts.push_back(child.get<Text>().text);
  return texts;
}

class Gather : public ::testing::Test {
 protected:
  explicit Gather(const char* missing = "reject") : node_("gather", {{"missing", missing}}) {
    node_.wire("in", PortType::of<Text>());
    EXPECT_THAT(node_.open(), IsOk());
  }

  Sent child(const GroupRef& group, std::uint64_t seq, const std::string& text) {
    Packet packet;
    packet.payload = PayloadRef::make(Text{text});
    packet.token = token_.share();
    packet.group = group;
    packet.seq = seq;
    return node_.feed("in", std::move(packet));
  }
  // A child that is not there, or the end of the group.
  Sent marker(PacketKind kind, const GroupRef& group, std::uint64_t seq) {
    Packet packet = Packet::marker(kind, seq, group);
    if (kind == PacketKind::kGroupEnd) packet.token = token_.share();
    return node_.feed("in", std::move(packet));
  }
  // What became of the source item once every packet of it is gone.
  Outcome settle(Sent& sent) {
    for (auto& [output, packets] : sent) {
      for (Packet& packet : packets) {
        if (packet.token) packet.token.deliver();
      }
    }
    token_.deliver();
    EXPECT_EQ(watcher_.all.size(), 1u) << "a packet of the item is still held";
    return watcher_.all.empty() ? Outcome::kUnfinished : watcher_.all[0].outcome;
  }

  TokenWatcher watcher_;
  TokenRef token_ = watcher_.make("page");
  NodeHarness node_;
};

class GatherThatSkips : public Gather {
 protected:
  GatherThatSkips() : Gather("skip") {}
};

TEST_F(Gather, ListsTheChildrenInTheOrderOfTheSplit) {
  const GroupRef group = group_of(7, 100, 3);
  EXPECT_THAT(child(group, 102, "c"), IsEmpty());
  EXPECT_THAT(child(group, 100, "a"), IsEmpty());
  EXPECT_THAT(marker(PacketKind::kGroupEnd, group, 103), IsEmpty());
  Sent sent = child(group, 101, "b");

  ASSERT_EQ(sent["out"].size(), 1u);
  const Packet& packet = sent["out"][0];
  EXPECT_THAT(texts_of(packet), ElementsAre("a", "b", "c"));
  EXPECT_EQ(packet.seq, 7u);
  EXPECT_FALSE(packet.group);
  EXPECT_EQ(settle(sent), Outcome::kDelivered);
}

TEST_F(Gather, GivesAnEmptyListForAnItemWithoutChildren) {
  Sent sent = marker(PacketKind::kGroupEnd, group_of(0, 0, 0), 0);

  ASSERT_EQ(sent["out"].size(), 1u);
  EXPECT_TRUE(sent["out"][0].is_item());
  EXPECT_THAT(texts_of(sent["out"][0]), IsEmpty());
  EXPECT_EQ(settle(sent), Outcome::kDelivered);
}

TEST_F(Gather, LeavesFilteredChildrenOut) {
  const GroupRef group = group_of(0, 0, 3);
  child(group, 0, "a");
  marker(PacketKind::kFiltered, group, 1);
  child(group, 2, "c");
  Sent sent = marker(PacketKind::kGroupEnd, group, 3);

  EXPECT_THAT(texts_of(sent["out"].at(0)), ElementsAre("a", "c"));
  EXPECT_EQ(settle(sent), Outcome::kDelivered);
}

TEST_F(Gather, KeepsFamiliesApart) {
  const GroupRef first = group_of(0, 0, 2);
  const GroupRef second = group_of(1, 3, 1);
  child(first, 0, "a");
  child(second, 3, "x");
  Sent second_sent = marker(PacketKind::kGroupEnd, second, 4);
  child(first, 1, "b");
  Sent first_sent = marker(PacketKind::kGroupEnd, first, 2);

  EXPECT_THAT(texts_of(second_sent["out"].at(0)), ElementsAre("x"));
  EXPECT_THAT(texts_of(first_sent["out"].at(0)), ElementsAre("a", "b"));
}

TEST_F(Gather, RejectsTheItemOfARejectedChild) {
  const GroupRef group = group_of(5, 0, 2);
  child(group, 0, "a");
  marker(PacketKind::kRejected, group, 1);
  Sent sent = marker(PacketKind::kGroupEnd, group, 2);

  ASSERT_EQ(sent["out"].size(), 1u);
  EXPECT_EQ(sent["out"][0].kind, PacketKind::kRejected);
  EXPECT_EQ(sent["out"][0].seq, 5u);
  EXPECT_FALSE(sent["out"][0].token);
  settle(sent);
}

TEST_F(Gather, DropsTheItemOfADroppedChildUnlessOneWasRejected) {
  const GroupRef dropped = group_of(0, 0, 1);
  marker(PacketKind::kDropped, dropped, 0);
  EXPECT_EQ(marker(PacketKind::kGroupEnd, dropped, 1)["out"].at(0).kind, PacketKind::kDropped);

  const GroupRef both = group_of(1, 2, 2);
  marker(PacketKind::kDropped, both, 2);
  marker(PacketKind::kRejected, both, 3);
  EXPECT_EQ(marker(PacketKind::kGroupEnd, both, 4)["out"].at(0).kind, PacketKind::kRejected);
}

TEST_F(GatherThatSkips, GoesOnWithoutTheMissing) {
  const GroupRef group = group_of(0, 0, 3);
  marker(PacketKind::kRejected, group, 0);
  child(group, 1, "b");
  marker(PacketKind::kDropped, group, 2);
  Sent sent = marker(PacketKind::kGroupEnd, group, 3);

  EXPECT_THAT(texts_of(sent["out"].at(0)), ElementsAre("b"));
  EXPECT_EQ(settle(sent), Outcome::kDelivered);
}

TEST_F(Gather, PassesOnTheMarkerOfAParentThatIsNotThere) {
  const GroupRef around = group_of(2, 9, 4);
  for (const PacketKind kind :
       {PacketKind::kFiltered, PacketKind::kRejected, PacketKind::kDropped}) {
    const GroupRef group = group_of(11, 40, 0, around, kind);
    Sent sent = node_.feed("in", Packet::marker(PacketKind::kGroupEnd, 40, group));

    ASSERT_EQ(sent["out"].size(), 1u);
    EXPECT_EQ(sent["out"][0].kind, kind);
    EXPECT_EQ(sent["out"][0].seq, 11u);
    EXPECT_EQ(sent["out"][0].group->parent_seq, 2u);
  }
}

TEST_F(Gather, PassesOnTheEndOfTheGroupAroundWithItsToken) {
  // The inner split of two makes of the outer one's end an empty group that stands for it.
  const GroupRef outer = group_of(0, 0, 1);
  const GroupRef stands_for_end = group_of(1, 3, 0, outer, PacketKind::kGroupEnd);
  Sent sent = marker(PacketKind::kGroupEnd, stands_for_end, 3);

  ASSERT_EQ(sent["out"].size(), 1u);
  Packet& end = sent["out"][0];
  EXPECT_EQ(end.kind, PacketKind::kGroupEnd);
  EXPECT_EQ(end.seq, 1u);
  EXPECT_EQ(end.group->count, 1u);
  EXPECT_TRUE(end.token) << "the outer gather sends the item on with this share";
  EXPECT_EQ(settle(sent), Outcome::kDelivered);
}

TEST_F(Gather, ClosesTwoSplitsOneInsideOfTheOther) {
  const GroupRef outer = group_of(0, 0, 2);
  const GroupRef first = group_of(0, 0, 1, outer);
  const GroupRef second = group_of(1, 2, 0, outer);
  const GroupRef stands_for_end = group_of(2, 3, 0, outer, PacketKind::kGroupEnd);
  NodeHarness around("gather");
  around.wire("in", node_.ports().outputs[0].type);
  ASSERT_THAT(around.open(), IsOk());

  std::vector<Sent> inner;
  inner.push_back(child(first, 0, "a"));
  inner.push_back(marker(PacketKind::kGroupEnd, first, 1));
  inner.push_back(marker(PacketKind::kGroupEnd, second, 2));
  inner.push_back(marker(PacketKind::kGroupEnd, stands_for_end, 3));
  Sent sent;
  for (Sent& step : inner) {
    for (Packet& packet : step["out"]) sent = around.feed("in", std::move(packet));
  }

  ASSERT_EQ(sent["out"].size(), 1u);
  const auto& lists = sent["out"][0].payload.items();
  ASSERT_EQ(lists.size(), 2u);
  EXPECT_EQ(lists[0].items().size(), 1u);
  EXPECT_EQ(lists[1].items().size(), 0u);
  EXPECT_EQ(settle(sent), Outcome::kDelivered);
}

TEST_F(Gather, LetsGoOfIncompleteItemsWhenItIsClosed) {
  const GroupRef group = group_of(0, 0, 2);
  child(group, 0, "a");
  marker(PacketKind::kGroupEnd, group, 2);

  EXPECT_THAT(node_.close(), IsOk());

  Sent none;
  EXPECT_EQ(settle(none), Outcome::kUnfinished);
  EXPECT_EQ(watcher_.all.size(), 1u);
}

TEST_F(Gather, GivesAListOfWhatIsWired) {
  EXPECT_EQ(node_.ports().outputs[0].type.to_string(), "[Text]");
}

}  // namespace
}  // namespace sluice
