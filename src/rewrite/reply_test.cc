#include "rewrite/reply.h"

#include "rewrite/changed_packet_test.h"

namespace weir::rewrite {
namespace {

namespace sample = wire::sample;

Receiver host(bool ipv6, bool timestamps = true) {
  Receiver to{.src = ipv6 ? sample::v6(1) : sample::v4(0xc0000201),
              .dst = ipv6 ? sample::v6(2) : sample::v4(0xc0000202),
              .src_port = 40000,
              .dst_port = 80,
              .seq = SeqNum{0xfffffffe},
              .ack = SeqNum{17},
              .window = 501};
  if (timestamps) to.timestamps = Receiver::Timestamps{.value = 111, .echo = 222};
  return to;
}

void expect_for(const Receiver& to, const Packet& packet, std::uint8_t flags) {
  expect_whole(packet);
  const wire::Decoded decoded = read_back(packet);
  EXPECT_EQ(decoded.src, to.src);
  EXPECT_EQ(decoded.dst, to.dst);
  EXPECT_EQ(decoded.tcp.src_port, to.src_port);
  EXPECT_EQ(decoded.tcp.dst_port, to.dst_port);
  EXPECT_EQ(decoded.tcp.seq, to.seq);
  EXPECT_EQ(decoded.tcp.ack, to.ack);
  EXPECT_EQ(decoded.tcp.window, to.window);
  EXPECT_EQ(decoded.tcp.flags.bits, flags);
  EXPECT_EQ(decoded.tcp.has_timestamp, to.timestamps.has_value());
  if (to.timestamps) {
    EXPECT_EQ(decoded.tcp.ts_value, 111U);
    EXPECT_EQ(decoded.tcp.ts_echo, 222U);
  }
  EXPECT_TRUE(decoded.tcp.payload.empty());
}

TEST(Replies, AreWhatTheHostTakesAsItsPeers) {
  for (const bool ipv6 : {false, true})
    for (const bool timestamps : {false, true}) {
      const Receiver to = host(ipv6, timestamps);
      expect_for(to, make_reset(to), 0x14);
      EXPECT_EQ(mptcp_count(make_reset(to)), 0U);

      const Packet with_reason = make_reset(to, ResetReason::kProhibited);
      expect_for(to, with_reason, 0x14);
      ASSERT_EQ(mptcp_count(with_reason), 1U);
      EXPECT_EQ(std::get<wire::mptcp::MpTcprst>(mptcp_options(with_reason).front()), (wire::mptcp::MpTcprst{.reason = 3}));

      for (const bool reset : {false, true}) {
        const Packet close = reset ? make_fastclose_reset(to, 0x0102030405060708) : make_fastclose(to, 0x0102030405060708);
        expect_for(to, close, reset ? 0x14 : 0x10);
        ASSERT_EQ(mptcp_count(close), 1U);
        EXPECT_EQ(std::get<wire::mptcp::MpFastclose>(mptcp_options(close).front()).receiver_key, 0x0102030405060708U);
      }
    }
}

// What has to be the first that a host sees of its peer's MPTCP: with times it fills all but four octets of the room.
TEST(Reply, AFastcloseAcknowledgesData) {
  Receiver to{.src = sample::v4(1), .dst = sample::v4(2), .src_port = 1, .dst_port = 2};
  to.timestamps = {.value = 1, .echo = 2};
  to.data_ack = 0x8070605040302010;
  const auto options = mptcp_options(make_fastclose(to, 7));
  ASSERT_EQ(options.size(), 2U);
  EXPECT_EQ(std::get<wire::mptcp::Dss>(options.front()).data_ack, (wire::mptcp::Dss::DataAck{.value = 0x8070605040302010, .wide = true}));
  EXPECT_EQ(std::get<wire::mptcp::MpFastclose>(options.back()).receiver_key, 7U);
  EXPECT_EQ(mptcp_count(make_reset(to)), 0U);
}

TEST(Refuse, AnswersASynWithWhatItsSenderWaitsFor) {
  for (const bool ipv6 : {false, true})
    for (const Octets& payload : {Octets{}, sample::text("early")}) {
      const Octets join = hex("0101 080a 00000007 00000000 1e0c1002 66840dda 11223344");
      const Octets syn = sample::ip_tcp(
          {.src = ipv6 ? sample::v6(1) : sample::v4(1), .dst = ipv6 ? sample::v6(2) : sample::v4(2), .flags = 0x02, .options = join, .payload = payload});
      const auto reset = refuse(syn, ResetReason::kProhibited);
      ASSERT_TRUE(reset);
      expect_whole(*reset);
      const wire::Decoded decoded = read_back(*reset);
      const wire::Decoded asked = read_back(syn);
      EXPECT_EQ(decoded.src, asked.dst);
      EXPECT_EQ(decoded.dst, asked.src);
      EXPECT_EQ(decoded.tcp.src_port, asked.tcp.dst_port);
      EXPECT_EQ(decoded.tcp.dst_port, asked.tcp.src_port);
      EXPECT_EQ(decoded.tcp.flags.bits, 0x14);
      EXPECT_EQ(decoded.tcp.seq, SeqNum{0});
      EXPECT_EQ(decoded.tcp.ack, SeqNum{1001} + static_cast<std::uint32_t>(payload.size()));
      EXPECT_EQ(decoded.tcp.ts_echo, 7U);
      EXPECT_EQ(std::get<wire::mptcp::MpTcprst>(mptcp_options(*reset).front()).reason, 3);
    }
}

TEST(Refuse, AnswersInTheNameThatTheSenderKnows) {
  const Octets syn = sample::ip_tcp({.src = sample::v4(1), .dst = sample::v4(2), .flags = 0x02});
  const Endpoints as_sent{.src = sample::v4(3), .dst = sample::v4(4), .src_port = 40'001, .dst_port = 8'443};
  const auto reset = refuse(syn, ResetReason::kProhibited, as_sent);
  ASSERT_TRUE(reset);
  expect_whole(*reset);
  const wire::Decoded decoded = read_back(*reset);
  EXPECT_EQ(decoded.src, as_sent.dst);
  EXPECT_EQ(decoded.dst, as_sent.src);
  EXPECT_EQ(decoded.tcp.src_port, as_sent.dst_port);
  EXPECT_EQ(decoded.tcp.dst_port, as_sent.src_port);
}

TEST(Refuse, AnswersASegmentWithAnAckAtThatAck) {
  const auto reset = refuse(sample::ip_tcp({.flags = 0x12}));
  ASSERT_TRUE(reset);
  expect_whole(*reset);
  const wire::Decoded decoded = read_back(*reset);
  EXPECT_EQ(decoded.tcp.flags.bits, 0x04);
  EXPECT_EQ(decoded.tcp.seq, SeqNum{2000});
  EXPECT_EQ(mptcp_count(*reset), 0U);
}

TEST(Refuse, NeverAnswersAReset) {
  EXPECT_FALSE(refuse(sample::ip_tcp({.flags = 0x04})));
  EXPECT_FALSE(refuse(sample::ip_tcp({.flags = 0x14})));
  EXPECT_FALSE(refuse(sample::ipv4(17, sample::udp(53, {}))));
}

TEST(Refuse, AnyOctetMayBeAnything) {
  for (const Octets& whole : in_every_header(hex("1e0c1002 66840dda 11223344")))
    for (std::size_t at = 0; at < whole.size(); ++at)
      for (const unsigned value : {0U, 2U, 0x1eU, 0xffU}) {
        Octets packet = whole;
        sample::set8(packet, at, value);
        if (const auto reset = refuse(packet)) expect_whole(*reset);
      }
}

}  // namespace
}  // namespace weir::rewrite
