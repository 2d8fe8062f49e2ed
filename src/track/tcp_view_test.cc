#include "track/tcp_view.h"

#include <gtest/gtest.h>

namespace weir::track {
namespace {

/// Two hosts and what passes between them.
class Views : public ::testing::Test {
 protected:
  static constexpr SeqNum kIsn{4'000'000'000}, kPeerIsn{77};

  void SetUp() override {
    ASSERT_EQ(send(client, server, segment(kIsn, {}, 0x02)), Acceptance::kNoAck) << "SYNs are not judged";
    note(client, server, segment(kIsn, {}, 0x02), true);
    note(server, client, segment(kPeerIsn, kIsn + 1, 0x12), true);
  }
  static wire::TcpSegment segment(SeqNum seq, SeqNum ack, std::uint8_t flags, std::uint32_t payload_bytes = 0) {
    wire::TcpSegment made{};
    made.seq = seq;
    made.ack = ack;
    made.flags = wire::TcpFlags{flags};
    made.window = 0xffff;
    if ((flags & 0x02) != 0) made.window_scale = 14;
    made.payload_bytes = payload_bytes;
    return made;
  }
  static Acceptance send(TcpView& sender, const TcpView& receiver, const wire::TcpSegment& made) {
    const Acceptance judged = judge(sender, receiver, made);
    if (judged == Acceptance::kGood) note(sender, receiver, made, true);
    return judged;
  }

  TcpView client, server;
};

TEST_F(Views, WhatWasSentBeforeTheConnectionBeganIsNoAcknowledgement) {
  EXPECT_EQ(send(server, client, segment(kPeerIsn + 1, kIsn, 0x10)), Acceptance::kBadAck);
  EXPECT_EQ(send(server, client, segment(kPeerIsn + 1, kIsn + 1, 0x10)), Acceptance::kGood);
  EXPECT_EQ(send(server, client, segment(kPeerIsn + 1, kIsn + 2, 0x10)), Acceptance::kDoubtfulAck);
}

// Sequence numbers come around: the ISN, behind at first, is ahead of what is sent after 2 GiB, and behind again after 4.
TEST_F(Views, AConnectionGoesOnHoweverMuchItCarries) {
  constexpr std::uint32_t kStep = 60'000;
  std::uint64_t sent = 1;
  while (sent < 10ULL << 30U) {
    ASSERT_EQ(send(client, server, segment(kIsn + static_cast<std::uint32_t>(sent), kPeerIsn + 1, 0x10, kStep)), Acceptance::kGood) << sent;
    sent += kStep;
    ASSERT_EQ(send(server, client, segment(kPeerIsn + 1, kIsn + static_cast<std::uint32_t>(sent), 0x10)), Acceptance::kGood) << sent;
  }
  EXPECT_EQ(send(server, client, segment(kPeerIsn + 1, kIsn + static_cast<std::uint32_t>(sent) + 1, 0x10)), Acceptance::kDoubtfulAck) << "never sent";
}

}  // namespace
}  // namespace weir::track
