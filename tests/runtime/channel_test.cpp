#include "sluice/runtime/channel.h"

#include "sluice/core/payloads.h"

#include <gtest/gtest.h>

#include <thread>

namespace sluice {
namespace {

// Counts what became of tokens.
class Outcomes final : public Token::Observer {
 public:
  void settled(const Token& token) override { ++counts[static_cast<std::size_t>(token.outcome())]; }
  int of(Outcome outcome) const { return counts[static_cast<std::size_t>(outcome)]; }
  std::array<int, 4> counts{};
};

Packet text_packet(Outcomes& outcomes, std::uint64_t seq, std::size_t length = 1) {
  Packet packet;
  packet.payload = PayloadRef::make(Text{std::string(length, 'x')});
  packet.token = TokenRef::make(&outcomes);
  packet.seq = seq;
  return packet;
}

void push(Channel& channel, Packet packet) { EXPECT_TRUE(channel.try_push(packet)); }

TEST(Channel, GivesPacketsInTheOrderTheyCame) {
  Outcomes outcomes;
  Channel channel({200, 1 << 20, WhenFull::kBlock});

  for (std::uint64_t seq = 0; seq < 150; ++seq) push(channel, text_packet(outcomes, seq));

  for (std::uint64_t seq = 0; seq < 150; ++seq) {
    Packet* packet = channel.take();
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->seq, seq);
    packet->token.deliver();
  }
  EXPECT_EQ(channel.take(), nullptr);
}

TEST(Channel, HasNoRoomBeyondItsItems) {
  Outcomes outcomes;
  Channel channel({2, 1 << 20, WhenFull::kBlock});

  push(channel, text_packet(outcomes, 0));
  EXPECT_TRUE(channel.has_room(1));
  push(channel, text_packet(outcomes, 1));

  EXPECT_FALSE(channel.has_room(1));
}

TEST(Channel, TakesOneItemOfAnySizeWhenEmpty) {
  Outcomes outcomes;
  Channel channel({64, 100, WhenFull::kBlock});

  EXPECT_TRUE(channel.has_room(1'000'000));
  push(channel, text_packet(outcomes, 0, 1000));

  EXPECT_FALSE(channel.has_room(1));
}

TEST(Channel, TakesMarkersWhenFull) {
  Outcomes outcomes;
  Channel channel({1, 1 << 20, WhenFull::kBlock});
  push(channel, text_packet(outcomes, 0));

  for (std::uint64_t seq = 1; seq < 100; ++seq)
    push(channel, Packet::marker(PacketKind::kFiltered, seq));

  EXPECT_EQ(channel.items(), 1u);
  for (std::uint64_t seq = 0; seq < 100; ++seq) EXPECT_EQ(channel.take()->seq, seq);
}

TEST(Channel, WakesTheWriterAtHalfEmpty) {
  Outcomes outcomes;
  Channel channel({4, 1 << 20, WhenFull::kBlock});
  for (std::uint64_t seq = 0; seq < 4; ++seq) push(channel, text_packet(outcomes, seq));
  ASSERT_TRUE(channel.ask_for_space(1));

  channel.take()->token.deliver();
  EXPECT_FALSE(channel.take_space_request());
  channel.take()->token.deliver();

  EXPECT_TRUE(channel.take_space_request());
  EXPECT_FALSE(channel.take_space_request());
}

TEST(Channel, RefusesTheRequestWhenThereIsRoomAfterAll) {
  Channel channel({4, 1 << 20, WhenFull::kBlock});

  EXPECT_FALSE(channel.ask_for_space(1));
}

TEST(Channel, DropsTheNewestAndLeavesAMarker) {
  Outcomes outcomes;
  Channel channel({2, 1 << 20, WhenFull::kDropNewest});

  for (std::uint64_t seq = 0; seq < 3; ++seq) push(channel, text_packet(outcomes, seq));

  EXPECT_EQ(outcomes.of(Outcome::kDropped), 1);
  EXPECT_EQ(channel.dropped(), 1u);
  EXPECT_TRUE(channel.take()->is_item());
  EXPECT_TRUE(channel.take()->is_item());
  const Packet* last = channel.take();
  EXPECT_EQ(last->kind, PacketKind::kDropped);
  EXPECT_EQ(last->seq, 2u);
}

TEST(Channel, DropsTheOldestAndLeavesAMarker) {
  Outcomes outcomes;
  Channel channel({2, 1 << 20, WhenFull::kDropOldest});

  for (std::uint64_t seq = 0; seq < 3; ++seq) push(channel, text_packet(outcomes, seq));

  EXPECT_EQ(outcomes.of(Outcome::kDropped), 1);
  EXPECT_EQ(channel.take()->kind, PacketKind::kDropped);
  EXPECT_EQ(channel.take()->seq, 1u);
  EXPECT_EQ(channel.take()->seq, 2u);
}

TEST(Channel, CarriesEverythingBetweenTwoThreads) {
  constexpr std::uint64_t kPackets = 200'000;
  Channel channel({64, 1 << 30, WhenFull::kBlock});
  std::thread writer([&] {
    for (std::uint64_t seq = 0; seq < kPackets; ++seq) {
      Packet packet = Packet::marker(PacketKind::kItem, seq);
      packet.payload = PayloadRef::make(Text{"x"});
      while (!channel.try_push(packet)) std::this_thread::yield();
    }
  });

  std::uint64_t expected = 0;
  while (expected < kPackets) {
    const Packet* packet = channel.take();
    if (!packet) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(packet->seq, expected);
    ++expected;
  }
  writer.join();

  EXPECT_EQ(channel.items(), 0u);
}

}  // namespace
}  // namespace sluice
