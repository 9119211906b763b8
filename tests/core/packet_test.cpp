#include "sluice/core/packet.h"

#include "sluice/core/payloads.h"

#include "tests/support/token_watcher.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Packet, SharesItsPayloadTokenAndGroup) {
  testing::TokenWatcher watcher;
  Packet packet;
  packet.payload = PayloadRef::make(Text{"x"});
  packet.token = watcher.make("a");
  packet.seq = 7;
  Group group;
  group.count = 3;
  packet.group = GroupRef::make(std::move(group));

  Packet other = packet.share();
  packet.token.deliver();
  EXPECT_TRUE(watcher.all.empty());
  other.token.deliver();

  EXPECT_EQ(watcher.all.size(), 1u);
  EXPECT_EQ(other.seq, 7u);
  EXPECT_EQ(other.group->count, 3u);
  EXPECT_EQ(other.payload.data(), packet.payload.data());
}

TEST(Packet, IsAMarkerWithoutAPayload) {
  const Packet marker = Packet::marker(PacketKind::kFiltered, 4);

  EXPECT_FALSE(marker.is_item());
  EXPECT_FALSE(marker.payload);
  EXPECT_FALSE(marker.token);
  EXPECT_EQ(marker.seq, 4u);
}

TEST(GroupRef, KeepsTheGroupsAround) {
  Group outer;
  outer.first_seq = 10;
  Group inner;
  inner.parent_group = GroupRef::make(std::move(outer));

  const GroupRef ref = GroupRef::make(std::move(inner));

  EXPECT_EQ(ref->parent_group->first_seq, 10u);
}

}  // namespace
}  // namespace sluice
