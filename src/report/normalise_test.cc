#include "report/normalise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "wire/checksum.h"
#include "wire/decode.h"
#include "wire/emit.h"

namespace weir::report {
namespace {

using engine::Direction;
using engine::Fate;
using engine::Handshake;

constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;
constexpr TimeNs kSecond = 1'000'000'000;

IpAddress v4(std::uint8_t last) {
  const std::byte octets[4] = {std::byte{192}, std::byte{0}, std::byte{2}, std::byte{last}};
  return IpAddress::v4(octets);
}

IpAddress v6(std::uint8_t last) {
  std::byte octets[16] = {std::byte{0x20}, std::byte{0x01}, std::byte{0x0d}, std::byte{0xb8}};
  octets[15] = std::byte{last};
  return IpAddress::v6(octets);
}

/// What was written, parsed back.
struct Written {
  TimeNs time;
  std::vector<std::byte> frame;
  LinkType link;

  wire::Decoded decoded() const {
    RawPacket packet;
    packet.bytes = frame;
    packet.original_bytes = static_cast<std::uint32_t>(frame.size());
    packet.link = link;
    wire::Decoded out;
    wire::decode(packet, out);
    return out;
  }
};

class NormaliserTest : public testing::Test, public FrameSink {
 protected:
  void write(TimeNs time, std::span<const std::byte> frame, std::uint32_t) override {
    written_.push_back({time, {frame.begin(), frame.end()}, settings_.link});
  }

  static engine::ConnectionInfo connection(std::uint64_t number = 1) {
    engine::ConnectionInfo info;
    info.number = number;
    info.id = "x-1";
    info.endpoints = {v4(1), v4(2), 40000, 80};
    return info;
  }
  static engine::StreamChunk chunk(Direction d, std::uint64_t offset, std::string_view text, TimeNs time) {
    return {.direction = d, .offset = offset, .bytes = std::as_bytes(std::span(text)), .time_ns = time};
  }

  /// Every frame is a right TCP segment of the flow, numbers go up without a hole on either side but where `gaps`, nothing is
  /// acknowledged that was not sent, no acknowledgement is said twice, time never goes back. Returns the streams.
  std::array<std::string, 2> check_flow(bool gaps = false) {
    std::array<std::string, 2> streams;
    std::optional<SeqNum> next[2], acked[2];
    TimeNs last = 0;
    for (const Written& each : written_) {
      EXPECT_GE(each.time, last);
      last = each.time;
      const wire::Decoded d = each.decoded();
      EXPECT_EQ(d.kind, wire::Kind::kTcp);
      EXPECT_EQ(wire::check_tcp_checksum(d), wire::ChecksumState::kRight);
      const bool up = d.tcp.dst_port == 80;
      const std::size_t from = up ? 0 : 1, to = 1 - from;
      if (d.tcp.flags.syn()) {
        EXPECT_FALSE(next[from]);
        EXPECT_TRUE(d.tcp.sack_permitted);
        EXPECT_EQ(d.tcp.window_scale, 14);
        EXPECT_TRUE(d.tcp.mss);
        next[from] = d.tcp.seq + 1;
      } else {
        EXPECT_TRUE(next[from]);
        if (!gaps) {
          EXPECT_EQ(d.tcp.seq, *next[from]);
        }
        EXPECT_GE(d.tcp.seq - *next[from], 0);
        next[from] = d.tcp.seq + static_cast<std::uint32_t>(d.tcp.payload.size()) + (d.tcp.flags.fin() ? 1 : 0);
      }
      if (d.tcp.flags.ack()) {
        EXPECT_TRUE(next[to]);
        EXPECT_GE(*next[to] - d.tcp.ack, 0) << "acknowledges what was not sent";
        if (acked[from]) {
          const bool pure = d.tcp.payload.empty() && !d.tcp.flags.fin() && !d.tcp.flags.rst() && !d.tcp.flags.syn();
          EXPECT_GE(d.tcp.ack - *acked[from], pure ? 1 : 0) << "duplicate";
        }
        if (!d.tcp.flags.syn() || acked[from]) acked[from] = d.tcp.ack;
      }
      for (const std::byte octet : d.tcp.payload) streams[from] += static_cast<char>(octet);
    }
    return streams;
  }
  std::uint8_t flags(std::size_t i) const { return written_.at(i).decoded().tcp.flags.bits & (kFin | kSyn | kRst | kAck); }

  Normaliser::Settings settings_;
  std::vector<Written> written_;
};

TEST_F(NormaliserTest, TellsAConnectionFromHandshakeToClose) {
  Normaliser out(settings_, *this);
  const auto c = connection();
  out.on_handshake(c, Handshake::kSyn, 1);
  out.on_handshake(c, Handshake::kSynAck, 2);
  out.on_handshake(c, Handshake::kEstablished, 3);
  out.on_data(c, chunk(Direction::kToServer, 0, "hello", 4));
  out.on_ack(c, Direction::kToServer, 5, 5);
  out.on_ack(c, Direction::kToServer, 5, 6);
  out.on_data(c, chunk(Direction::kToClient, 0, "world", 7));
  out.on_fin(c, Direction::kToServer, 8);
  out.on_ack(c, Direction::kToClient, 5, 9);
  out.on_fin(c, Direction::kToClient, 10);
  const auto streams = check_flow();
  EXPECT_EQ(streams[0], "hello");
  EXPECT_EQ(streams[1], "world");
  std::vector<TimeNs> times;
  for (const auto& each : written_) times.push_back(each.time);
  EXPECT_EQ(times, (std::vector<TimeNs>{1, 2, 3, 4, 5, 7, 8, 8, 9, 10, 10})) << "each at its own time, the repeated ACK left out";
  EXPECT_EQ(flags(0), kSyn);
  EXPECT_EQ(flags(1), kSyn | kAck);
  EXPECT_EQ(flags(6), kFin | kAck);
}

TEST_F(NormaliserTest, MakesUpAHandshakeThatWasNotSeen) {
  Normaliser out(settings_, *this);
  out.on_handshake(connection(), Handshake::kMidstream, 1);
  EXPECT_TRUE(written_.empty()) << "nothing before there is data";
  out.on_data(connection(), chunk(Direction::kToClient, 0, "late", 5));
  EXPECT_EQ(check_flow()[1], "late");
  ASSERT_EQ(written_.size(), 4U);
  EXPECT_EQ(flags(0), kSyn);
  EXPECT_EQ(written_[0].time, 5);
}

TEST_F(NormaliserTest, MakesUpALostSyn) {
  Normaliser out(settings_, *this);
  out.on_handshake(connection(), Handshake::kSynAck, 2);
  out.on_handshake(connection(), Handshake::kEstablished, 3);
  check_flow();
  ASSERT_EQ(written_.size(), 3U);
  EXPECT_EQ(flags(0), kSyn);
}

TEST_F(NormaliserTest, CutsLongPiecesAndAcknowledgesWithoutBeingTold) {
  settings_.segment_bytes = 1'000;
  Normaliser out(settings_, *this);
  const std::string text(300'000, 'x');
  out.on_data(connection(), chunk(Direction::kToServer, 0, text, 1));
  EXPECT_EQ(check_flow()[0], text);
  std::uint64_t in_flight = 0, most = 0;
  for (const auto& each : written_) {
    const auto d = each.decoded();
    EXPECT_LE(d.tcp.payload.size(), 1'000U);
    in_flight = d.tcp.dst_port == 80 ? in_flight + d.tcp.payload.size() : 0;
    most = std::max(most, in_flight);
  }
  EXPECT_LE(most, 65'536U + 1'000U);
}

TEST_F(NormaliserTest, LongestSegmentFitsIpv4AndIpv6) {
  const std::string text(200'000, 'y');
  for (const bool six : {false, true}) {
    written_.clear();
    Normaliser out(settings_, *this);
    auto c = connection();
    if (six) c.endpoints.src = v6(1), c.endpoints.dst = v6(2);
    out.on_data(c, chunk(Direction::kToServer, 0, text, 1));
    EXPECT_EQ(check_flow()[0], text);
  }
}

TEST_F(NormaliserTest, AGapIsAJumpAndNothingInItIsAcknowledgedBeforeDataFollows) {
  Normaliser out(settings_, *this);
  const auto c = connection();
  out.on_data(c, chunk(Direction::kToServer, 0, "abc", 1));
  const SeqNum first = written_.back().decoded().tcp.seq;
  out.on_gap(c, Direction::kToServer, 3, 1'000, 2);
  out.on_ack(c, Direction::kToServer, 1'003, 2);
  EXPECT_EQ(written_.back().decoded().tcp.ack, first + 3);
  out.on_data(c, chunk(Direction::kToServer, 1'003, "def", 3));
  EXPECT_EQ(written_.back().decoded().tcp.seq, first + 1'003);
  out.on_ack(c, Direction::kToServer, 1'006, 4);
  EXPECT_EQ(written_.back().decoded().tcp.ack, first + 1'006);
  check_flow(true);
}

TEST_F(NormaliserTest, ResetEndsBothDirections) {
  Normaliser out(settings_, *this);
  const auto c = connection();
  out.on_data(c, chunk(Direction::kToServer, 0, "abc", 1));
  out.on_reset(c, Direction::kToClient, 2);
  const std::size_t written = written_.size();
  EXPECT_EQ(flags(written - 1), kRst | kAck);
  out.on_data(c, chunk(Direction::kToClient, 0, "no more", 3));
  out.on_fin(c, Direction::kToServer, 3);
  out.on_reset(c, Direction::kToServer, 3);
  EXPECT_EQ(written_.size(), written);
  check_flow();
}

TEST_F(NormaliserTest, ARefusedSynIsAnsweredByItsReset) {
  Normaliser out(settings_, *this);
  out.on_handshake(connection(), Handshake::kSyn, 1);
  out.on_reset(connection(), Direction::kToClient, 2);
  ASSERT_EQ(written_.size(), 2U);
  EXPECT_EQ(flags(1), kRst | kAck);
  EXPECT_EQ(written_[1].decoded().tcp.ack, written_[0].decoded().tcp.seq + 1);
}

TEST_F(NormaliserTest, ConnectionsHaveNumbersOfTheirOwnAndTheSameEveryTime) {
  std::vector<std::uint32_t> first[2];
  for (auto& run : first) {
    written_.clear();
    Normaliser out(settings_, *this);
    for (const std::uint64_t number : {1, 2, 3}) out.on_handshake(connection(number), Handshake::kSyn, 1);
    for (const auto& each : written_) run.push_back(each.decoded().tcp.seq.value);
  }
  EXPECT_EQ(first[0], first[1]);
  EXPECT_NE(first[0][0], first[0][1]);
}

TEST_F(NormaliserTest, PlainTcpIsLeftToItsOwnPackets) {
  Normaliser out(settings_, *this);
  auto c = connection();
  c.mptcp = false;
  out.on_data(c, chunk(Direction::kToServer, 0, "abc", 1));
  EXPECT_TRUE(written_.empty());
}

/// An Ethernet frame around a UDP-like packet, or a fragment of one.
std::vector<std::byte> frame(std::uint16_t id, std::uint16_t offset_and_more, std::uint8_t ttl = 64) {
  std::vector<std::byte> out(14 + 20 + 16);
  const auto put = [&](std::size_t at, unsigned value) { out[at] = static_cast<std::byte>(value); };
  for (std::size_t i = 0; i < 12; ++i) put(i, static_cast<unsigned>(i + 1));
  put(12, 8);
  put(14, 0x45);
  put(17, 36);
  put(18, id >> 8), put(19, id & 0xff);
  put(20, offset_and_more >> 8), put(21, offset_and_more & 0xff);
  put(22, ttl);
  put(23, 17);
  for (const auto& [at, last] : {std::pair{26, 1}, std::pair{30, 2}}) put(at, 192), put(at + 2, 2), put(at + 3, static_cast<unsigned>(last));
  put(34, 0x11), put(36, 0x22), put(39, 16);
  unsigned sum = 0;
  for (std::size_t i = 14; i < 34; i += 2) sum += std::to_integer<unsigned>(out[i]) << 8 | std::to_integer<unsigned>(out[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = ~(sum + (sum >> 16)) & 0xffff;
  put(24, sum >> 8), put(25, sum & 0xff);
  return out;
}

RawPacket packet(const std::vector<std::byte>& bytes, TimeNs time, PointId point = 0) {
  RawPacket p;
  p.bytes = bytes;
  p.original_bytes = static_cast<std::uint32_t>(bytes.size());
  p.time_ns = time;
  p.point = point;
  return p;
}

TEST_F(NormaliserTest, OtherPacketsPassUnchangedAndMptcpOnesDoNot) {
  Normaliser out(settings_, *this);
  const auto other = frame(1, 0), mptcp = frame(2, 0);
  for (const auto& [bytes, fate] : {std::pair{&other, Fate::kOther}, {&mptcp, Fate::kMptcp}}) {
    const auto p = packet(*bytes, 1);
    out.before(p);
    out.after(p, fate);
  }
  ASSERT_EQ(written_.size(), 1U);
  EXPECT_EQ(written_[0].frame, other);
}

TEST_F(NormaliserTest, FragmentsWaitAndEverythingLaterBehindThem) {
  static constexpr std::uint16_t kMore = 0x2000;
  const auto first = frame(1, kMore), last = frame(1, 2), mptcp_first = frame(2, kMore), mptcp_last = frame(2, 2), other = frame(3, 0);
  Normaliser out(settings_, *this);
  const auto take = [&](const auto& bytes, TimeNs time, Fate fate) {
    const auto p = packet(bytes, time);
    out.before(p);
    out.after(p, fate);
  };
  take(first, 1, Fate::kFragment);
  take(mptcp_first, 2, Fate::kFragment);
  out.on_handshake(connection(), Handshake::kSyn, 3);
  take(other, 4, Fate::kOther);
  EXPECT_TRUE(written_.empty());
  take(last, 5, Fate::kOther);
  ASSERT_EQ(written_.size(), 1U) << "the first datagram's first fragment; the second's still waits";
  EXPECT_EQ(written_[0].frame, first);
  take(mptcp_last, 6, Fate::kMptcp);
  ASSERT_EQ(written_.size(), 4U);
  EXPECT_EQ(written_[1].time, 3);
  EXPECT_EQ(written_[2].frame, other);
  EXPECT_EQ(written_[3].frame, last);
}

TEST_F(NormaliserTest, FragmentsWithoutAnEndPassAfterAWhile) {
  const auto first = frame(1, 0x2000), other = frame(3, 0);
  Normaliser out(settings_, *this);
  auto p = packet(first, 1);
  out.before(p);
  out.after(p, Fate::kFragment);
  p = packet(other, 31 * kSecond);
  out.before(p);
  out.after(p, Fate::kOther);
  EXPECT_EQ(written_.size(), 2U);
  EXPECT_EQ(out.counters().fragments_undecided, 1U);
  p = packet(first, 32 * kSecond);
  out.before(p);
  out.after(p, Fate::kFragment);
  out.finish();
  EXPECT_EQ(written_.size(), 3U) << "or at the end";
}

TEST_F(NormaliserTest, SeveralPointsShowAPacketOnce) {
  settings_.several_points = true;
  Normaliser out(settings_, *this);
  const auto a = frame(1, 0, 64), routed = frame(1, 0, 63);
  const auto take = [&](const auto& bytes, TimeNs time, PointId point) {
    const auto p = packet(bytes, time, point);
    out.before(p);
    out.after(p, Fate::kOther);
  };
  take(a, 1, 0);
  take(routed, 2, 1);
  EXPECT_EQ(written_.size(), 1U);
  take(a, 3, 0);  // sent again: a packet of its own
  EXPECT_EQ(written_.size(), 2U);
  take(routed, 4, 1);
  EXPECT_EQ(written_.size(), 2U);
  take(routed, 5, 1);  // the third copy, of which point 0 shows nothing
  EXPECT_EQ(written_.size(), 3U);
  take(routed, 60 * kSecond, 1);  // long after: not the same
  EXPECT_EQ(written_.size(), 4U);
  EXPECT_EQ(out.counters().left_out_twice, 2U);
}

TEST_F(NormaliserTest, HeaderIsThatOfThePacketThatOpenedTheFlow) {
  Normaliser out(settings_, *this);
  auto bytes = frame(1, 0);
  const auto p = packet(bytes, 1);
  out.before(p);
  out.on_handshake(connection(), Handshake::kSynAck, 1);
  ASSERT_EQ(written_.size(), 2U);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.begin() + 14, written_[0].frame.begin()));
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.begin() + 6, written_[1].frame.begin() + 6)) << "turned round";
  EXPECT_TRUE(std::equal(bytes.begin() + 6, bytes.begin() + 12, written_[1].frame.begin()));
}

TEST_F(NormaliserTest, OtherLinkTypesAreGivenAHeader) {
  Normaliser out(settings_, *this);
  const auto ethernet = frame(1, 0);
  auto p = packet(ethernet, 1);
  p.link = LinkType::kRaw;
  p.bytes = p.bytes.subspan(14);
  out.before(p);
  out.after(p, Fate::kOther);
  ASSERT_EQ(written_.size(), 1U);
  EXPECT_EQ(written_[0].decoded().src, v4(1));
  p.bytes = p.bytes.subspan(0, 0);
  out.after(p, Fate::kOther);
  EXPECT_EQ(written_.size(), 1U);
  EXPECT_EQ(out.counters().left_out_not_ip, 1U);
}

TEST_F(NormaliserTest, EveryLinkTypeIsReadBack) {
  for (const LinkType link : {LinkType::kNull, LinkType::kEthernet, LinkType::kPpp, LinkType::kPppHdlc, LinkType::kPppEther, LinkType::kRaw, LinkType::kLoop,
                              LinkType::kLinuxSll, LinkType::kLinuxSll2}) {
    settings_.link = link;
    for (const bool six : {false, true}) {
      written_.clear();
      Normaliser out(settings_, *this);
      auto c = connection();
      if (six) c.endpoints.src = v6(1), c.endpoints.dst = v6(2);
      out.on_data(c, chunk(Direction::kToServer, 0, "abc", 1));
      EXPECT_EQ(check_flow()[0], "abc") << static_cast<int>(link) << (six ? " IPv6" : " IPv4");
    }
  }
}

TEST_F(NormaliserTest, TimeNeverGoesBack) {
  Normaliser out(settings_, *this);
  out.on_data(connection(), chunk(Direction::kToServer, 0, "abc", 10));
  out.on_ack(connection(), Direction::kToServer, 3, 5);
  check_flow();
}

/// A plain TCP packet in an Ethernet frame.
std::vector<std::byte> tcp_frame(std::size_t payload, bool unfinished, bool six = false) {
  const std::vector<std::byte> octets(payload, std::byte{'p'});
  std::vector<std::byte> ip;
  wire::emit_tcp_packet({.src = six ? v6(1) : v4(1), .dst = six ? v6(2) : v4(2), .src_port = 40'001, .dst_port = 80, .flags = {kAck}, .window = 500}, octets,
                        ip);
  std::vector<std::byte> out(14, std::byte{2});
  out[12] = six ? std::byte{0x86} : std::byte{0x08};
  out[13] = six ? std::byte{0xdd} : std::byte{0x00};
  out.insert(out.end(), ip.begin(), ip.end());
  if (unfinished) {
    const std::size_t field = 14 + (six ? 40 : 20) + 16;
    const auto pseudo = wire::pseudo_header_sum(six ? v6(1) : v4(1), six ? v6(2) : v4(2), 6, static_cast<std::uint32_t>(payload + 20));
    out[field] = static_cast<std::byte>(pseudo >> 8U);
    out[field + 1] = static_cast<std::byte>(pseudo & 0xffU);
  }
  return out;
}

class NormaliserForAnInterface : public NormaliserTest {
 protected:
  NormaliserForAnInterface() { settings_.mtu_bytes = 1'500; }
  void take(Normaliser& out, const std::vector<std::byte>& bytes, Fate fate = Fate::kOther, LinkType link = LinkType::kEthernet) {
    auto p = packet(bytes, 1);
    p.link = link;
    out.before(p);
    out.after(p, fate);
  }
};

TEST_F(NormaliserForAnInterface, FlowsFitItsMtuAndSaySo) {
  for (const bool six : {false, true}) {
    written_.clear();
    Normaliser out(settings_, *this);
    auto c = connection();
    if (six) c.endpoints.src = v6(1), c.endpoints.dst = v6(2);
    const std::string text(10'000, 'z');
    out.on_data(c, chunk(Direction::kToServer, 0, text, 1));
    EXPECT_EQ(check_flow()[0], text);
    EXPECT_EQ(written_[0].decoded().tcp.mss, six ? 1'440 : 1'460);
    std::size_t longest = 0;
    for (const auto& each : written_) longest = std::max(longest, each.frame.size());
    EXPECT_EQ(longest, 1'514U);
  }
}

TEST_F(NormaliserForAnInterface, SuperPacketsOfOthersAreCut) {
  for (const bool six : {false, true}) {
    written_.clear();
    Normaliser out(settings_, *this);
    take(out, tcp_frame(10'000, true, six));
    EXPECT_EQ(written_.size(), 7U);
    std::size_t octets = 0;
    for (const auto& each : written_) {
      EXPECT_LE(each.frame.size(), 1'514U);
      EXPECT_EQ(wire::check_tcp_checksum(each.decoded()), wire::ChecksumState::kRight);
      octets += each.decoded().tcp.payload.size();
    }
    EXPECT_EQ(octets, 10'000U);
    EXPECT_EQ(out.counters().cut, 1U);
    EXPECT_EQ(out.counters().passed, 7U);
  }
}

TEST_F(NormaliserForAnInterface, UnfinishedChecksumsOfOthersAreMadeWhole) {
  Normaliser out(settings_, *this);
  take(out, tcp_frame(100, true));
  ASSERT_EQ(written_.size(), 1U);
  EXPECT_EQ(written_[0].frame, tcp_frame(100, false));
  EXPECT_EQ(out.counters().finished, 1U);
}

TEST_F(NormaliserForAnInterface, RawIpIsGivenAnEthernetHeaderAndCut) {
  Normaliser out(settings_, *this);
  const auto frame = tcp_frame(3'000, true);
  take(out, {frame.begin() + 14, frame.end()}, Fate::kOther, LinkType::kRaw);
  EXPECT_EQ(written_.size(), 3U);
  for (const auto& each : written_) EXPECT_EQ(each.decoded().kind, wire::Kind::kTcp);
}

TEST_F(NormaliserForAnInterface, WhatDoesNotFitIsCounted) {
  settings_.mtu_bytes = 300;
  Normaliser out(settings_, *this);
  auto long_datagram = frame(1, 0);
  long_datagram.resize(14 + 301);
  take(out, long_datagram);
  EXPECT_EQ(out.counters().left_out_too_long, 1U);
  auto p = packet(frame(2, 0), 1);
  const auto cut_short = frame(2, 0);
  p.bytes = cut_short;
  p.original_bytes += 100;
  out.before(p);
  out.after(p, Fate::kOther);
  EXPECT_EQ(out.counters().left_out_cut_short, 1U);
  auto spanning_tree = frame(3, 0);
  const std::byte group[6] = {std::byte{0x01}, std::byte{0x80}, std::byte{0xc2}};
  std::ranges::copy(group, spanning_tree.begin());
  take(out, spanning_tree);
  EXPECT_EQ(out.counters().left_out_link_local, 1U);
  EXPECT_TRUE(written_.empty());
}

TEST_F(NormaliserForAnInterface, OtherPacketsAreLeftOutAsAsked) {
  for (const auto& [others, tcp, udp] : {std::tuple{OtherPackets::kAll, 1, 1}, {OtherPackets::kTcp, 1, 0}, {OtherPackets::kNone, 0, 0}}) {
    written_.clear();
    settings_.others = others;
    Normaliser out(settings_, *this);
    take(out, tcp_frame(10, false));
    EXPECT_EQ(written_.size(), static_cast<std::size_t>(tcp));
    take(out, frame(1, 0));
    EXPECT_EQ(written_.size(), static_cast<std::size_t>(tcp + udp));
    EXPECT_EQ(out.counters().left_out_others, static_cast<std::uint64_t>(2 - tcp - udp));
    out.on_data(connection(), chunk(Direction::kToServer, 0, "flows come always", 1));
    EXPECT_GT(written_.size(), static_cast<std::size_t>(tcp + udp));
  }
}

TEST_F(NormaliserForAnInterface, NothingIsHeldBackLongerThanAsked) {
  settings_.fragment_patience = 50'000'000;
  Normaliser out(settings_, *this);
  const auto first = frame(1, 0x2000);
  auto p = packet(first, kSecond);
  out.before(p);
  out.after(p, Fate::kFragment);
  EXPECT_TRUE(out.waits());
  out.on_data(connection(), chunk(Direction::kToServer, 0, "abc", kSecond));
  EXPECT_TRUE(written_.empty());
  out.advance(kSecond + 51'000'000);
  EXPECT_FALSE(out.waits());
  EXPECT_GT(written_.size(), 1U);
}

}  // namespace
}  // namespace weir::report
