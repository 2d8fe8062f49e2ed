// Connections that are being ended: whom is told what, and until when.
#include "gateway/closing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "wire/emit.h"

namespace weir::gateway {
namespace {

constexpr std::uint16_t kPort = 443;
constexpr std::uint8_t kAck = 0x10, kRst = 0x04, kSyn = 0x02;

IpAddress address(std::byte last) { return IpAddress::v4(std::array<std::byte, 4>{std::byte{10}, std::byte{0}, std::byte{0}, last}); }
const IpAddress kClient = address(std::byte{1}), kServer = address(std::byte{2});

/// `host` of a subflow of the connection 1; the port is the client's.
engine::Ending ending(std::size_t host, std::uint16_t port) {
  engine::Ending e;
  e.host = host;
  e.endpoints = host == 1 ? Endpoints{kClient, kServer, port, kPort} : Endpoints{kServer, kClient, kPort, port};
  e.seq = e.acked = SeqNum{1'000};
  e.key = 7;
  return e;
}

class ClosingTest : public testing::Test {
 protected:
  void begin(std::uint16_t subflows) {
    std::vector<engine::Ending> endings;
    for (std::uint16_t i = 0; i < subflows; ++i) {
      for (const std::size_t host : {std::size_t{0}, std::size_t{1}}) endings.push_back(ending(host, static_cast<std::uint16_t>(40'000 + i)));
    }
    closing_.begin(1, std::move(endings), true, now_, send_);
  }
  void says(const engine::Ending& e, std::uint8_t flags) { closing_.seen(from(e, flags), now_, send_); }
  /// A packet of the host whose end this is.
  const wire::Decoded& from(const engine::Ending& e, std::uint8_t flags) {
    std::vector<std::byte>& bytes = octets_;
    bytes.clear();
    wire::emit_tcp_packet({.src = e.endpoints.dst,
                           .dst = e.endpoints.src,
                           .src_port = e.endpoints.dst_port,
                           .dst_port = e.endpoints.src_port,
                           .seq = SeqNum{1},
                           .ack = SeqNum{1'000},
                           .flags = wire::TcpFlags{flags},
                           .window = 1},
                          {}, bytes);
    return decode(bytes);
  }
  const wire::Decoded& decode(std::span<const std::byte> bytes) {
    RawPacket raw;
    raw.bytes = bytes;
    raw.original_bytes = static_cast<std::uint32_t>(bytes.size());
    raw.link = LinkType::kRaw;
    wire::decode(raw, decoded_);
    return decoded_;
  }
  std::size_t sent() { return std::exchange(sent_, 0); }
  void later() { closing_.advance(now_ += Closing::kEvery, send_); }

  TimeNs now_ = 1'000'000'000'000;
  std::size_t sent_ = 0;
  Closing::Send send_ = [this](std::span<const std::byte>, bool followed) {
    EXPECT_TRUE(followed);
    ++sent_;
  };
  Closing closing_;
  std::vector<std::byte> octets_;
  wire::Decoded decoded_;
};

TEST_F(ClosingTest, IsOverWhenBothHostsHaveAnsweredOnEverySubflow) {
  begin(2);
  EXPECT_EQ(sent(), 4U);
  says(ending(0, 40'000), kRst);
  says(ending(0, 40'001), kRst);
  says(ending(1, 40'000), kRst);
  EXPECT_EQ(closing_.size(), 1U) << "the end of one subflow says nothing of the other";
  says(ending(1, 40'001), kRst);
  EXPECT_EQ(closing_.size(), 0U);
}

TEST_F(ClosingTest, WhoDoesNotAnswerIsToldForATimeOnly) {
  begin(1);
  for (unsigned i = 0; i <= Closing::kTries; ++i) later();
  EXPECT_EQ(closing_.size(), 0U);
}

TEST_F(ClosingTest, OfManySubflowsSomeAreToldAtATime) {
  begin(200);
  EXPECT_EQ(sent(), 400U) << "at first all";
  for (int i = 0; i < 5; ++i) {
    later();
    EXPECT_LE(sent(), 3 * Closing::kToldAgain);
  }
}

TEST_F(ClosingTest, AHostIsToldInThePlaceOfItsPeersPacketsUntilItHasAnswered) {
  begin(1);
  const auto told = closing_.instead_of(from(ending(0, 40'000), kAck));
  ASSERT_TRUE(told);
  const wire::Decoded& decoded = decode(*told);
  EXPECT_EQ(decoded.dst, kServer);
  EXPECT_EQ(decoded.tcp.dst_port, kPort);
  EXPECT_FALSE(decoded.tcp.flags.rst());
  EXPECT_FALSE(closing_.instead_of(from(ending(0, 40'000), kSyn))) << "whose it is, is not known";
  EXPECT_FALSE(closing_.instead_of(from(ending(0, 41'000), kAck))) << "another connection's";
  // The server's answer tells the client; two hosts that have answered go on telling each other nothing.
  says(ending(1, 40'000), kRst);
  EXPECT_TRUE(closing_.instead_of(from(ending(1, 40'000), kRst)));
  EXPECT_FALSE(closing_.instead_of(from(ending(0, 40'000), kAck)));
  says(ending(0, 40'000), kRst);
  EXPECT_FALSE(closing_.instead_of(from(ending(0, 40'000), kRst)));
  EXPECT_EQ(closing_.size(), 0U);
}

TEST_F(ClosingTest, WhoGoesOnLaterIsToldAgainUntilBothHaveAnswered) {
  begin(1);
  while (closing_.size() > 0) later();
  sent();
  says(ending(0, 40'000), kAck);
  later();
  EXPECT_EQ(sent(), 0U) << "what was under way as the tries were over";
  now_ += Closing::kRest;
  says(ending(0, 40'000), kAck);
  EXPECT_TRUE(closing_.instead_of(from(ending(0, 40'000), kAck)));
  later();
  EXPECT_GT(sent(), 0U);
  says(ending(0, 40'000), kRst);
  says(ending(1, 40'000), kRst);
  EXPECT_EQ(closing_.size(), 0U);
  sent();
  now_ += Closing::kRest;
  says(ending(0, 40'000), kAck);
  later();
  EXPECT_EQ(sent(), 0U) << "it is over";
}

TEST_F(ClosingTest, OfThoseThatRestTheLongestIsForgotten) {
  const auto end_of = [&](std::uint64_t number) {
    std::vector<engine::Ending> endings{ending(0, static_cast<std::uint16_t>(number))};
    closing_.begin(number, std::move(endings), true, now_, send_);
  };
  for (std::uint64_t number = 1; number <= Closing::kMost + 1; ++number) {
    end_of(number);
    if (number % 1'000 == 0) {
      while (closing_.size() > 0) later();
    }
  }
  while (closing_.size() > 0) later();
  now_ += Closing::kRest;
  says(ending(0, 1), kAck);
  EXPECT_EQ(closing_.size(), 0U);
  says(ending(0, 2), kAck);
  EXPECT_EQ(closing_.size(), 1U);
}

TEST_F(ClosingTest, WhomThereIsNoRoomForIsCounted) {
  for (std::size_t i = 0; i < Closing::kMost + 3; ++i) closing_.begin(2 + i, {ending(0, static_cast<std::uint16_t>(10'000 + i))}, true, now_, send_);
  EXPECT_EQ(closing_.size(), Closing::kMost);
  EXPECT_EQ(closing_.counters().given_up, 3U);
  for (unsigned i = 0; i < Closing::kTries; ++i) closing_.advance(now_ += Closing::kEvery, send_);
  EXPECT_EQ(closing_.size(), 0U) << "they rest";
  closing_.begin(1, {ending(0, 50'000)}, true, now_, send_);
  for (unsigned i = 0; i < Closing::kTries; ++i) closing_.advance(now_ += Closing::kEvery, send_);
  EXPECT_EQ(closing_.counters().forgotten, 1U);
}

}  // namespace
}  // namespace weir::gateway
