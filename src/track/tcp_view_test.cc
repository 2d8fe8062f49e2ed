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
    note(client, server, segment(kIsn, {}, 0x02), true, now_ns);
    note(server, client, segment(kPeerIsn, kIsn + 1, 0x12), true, now_ns);
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
  Acceptance send(TcpView& sender, const TcpView& receiver, const wire::TcpSegment& made) {
    const Acceptance judged = judge(sender, receiver, made, now_ns);
    if (judged == Acceptance::kGood) note(sender, receiver, made, true, now_ns);
    return judged;
  }

  static constexpr TimeNs kDayNs = 86'400'000'000'000;
  TimeNs now_ns = 1'700'000'000'000'000'000;
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

// Where packets went by unseen, numbers go on by leaps.
TEST_F(Views, AConnectionGoesOnBehindWhatWasNotSeen) {
  note(client, server, segment(kIsn + (900U << 20U), kPeerIsn + 1, 0x10, 1), true, now_ns);
  note(client, server, segment(kIsn + (2'200U << 20U), kPeerIsn + 1, 0x10, 1), true, now_ns);
  EXPECT_EQ(send(server, client, segment(kPeerIsn + 1, kIsn + (2'200U << 20U) + 1, 0x10)), Acceptance::kGood);
}

// RFC 7323 §5.5: after 24 days a timestamp may have come around.
TEST_F(Views, ATimestampIsNotComparedWithOneOfLongAgo) {
  auto stamped = segment(kIsn + 1, kPeerIsn + 1, 0x10);
  stamped.has_timestamp = true;
  stamped.ts_value = 1'000'000;
  ASSERT_EQ(send(server, client, segment(kPeerIsn + 1, kIsn + 1, 0x10)), Acceptance::kGood);
  ASSERT_EQ(send(client, server, stamped), Acceptance::kGood);
  now_ns += 3 * kDayNs;
  auto older = stamped;
  older.ts_value = stamped.ts_value - 10;
  EXPECT_EQ(send(client, server, older), Acceptance::kPaws);
  EXPECT_EQ(judge(client, server, older, now_ns, kPawsSecondsShort), Acceptance::kGood) << "it may tick by microseconds";
  now_ns += 23 * kDayNs;
  stamped.ts_value += 26U * 86'400'000U;  // a millisecond a tick: more than 2^31
  EXPECT_EQ(send(client, server, stamped), Acceptance::kGood);
  older.ts_value = stamped.ts_value - 10;
  EXPECT_EQ(send(client, server, older), Acceptance::kPaws) << "compared with the new one";
}

}  // namespace
}  // namespace weir::track
