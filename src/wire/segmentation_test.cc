#include "wire/segmentation.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "wire/sample_encapsulations.h"
#include "wire/sample_packets.h"

namespace weir::wire {
namespace {

using namespace sample;
using Result = Segmentation::Result;

constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kPsh = 0x08, kAck = 0x10, kUrg = 0x20, kCwr = 0x80;
/// NOP, NOP, timestamp: on every segment of most connections.
const Octets kTimestamp = hex("0101080a 11223344 55667788");

Octets stream(std::size_t octets) {
  Octets out(octets);
  for (std::size_t i = 0; i < octets; ++i) out[i] = static_cast<std::byte>((i * 7 + i / 251) & 0xffU);
  return out;
}

Decoded decoded(const Octets& frame) {
  Decoded out;
  decode({.bytes = frame, .original_bytes = static_cast<std::uint32_t>(frame.size())}, out);
  return out;
}

/// As the pseudo-header's sum alone: what is in the field before a network card completes it.
void unfinish(Octets& frame, std::uint32_t length) {
  const Decoded d = decoded(frame);
  set16(frame, static_cast<std::size_t>(d.tcp.header.data() - frame.data()) + 16, pseudo_header_sum(d.src, d.dst, 6, length));
}

class SegmentationTest : public testing::Test {
 protected:
  Result cut(const Octets& frame, std::size_t mtu = 1'500, std::size_t at = 14, bool trust = false) {
    frames_.clear();
    return segmentation_(frame, decoded(frame), {.ip_bytes = mtu, .at = at, .trust_wrong_checksums = trust},
                         [&](std::span<const std::byte> each) { frames_.emplace_back(each.begin(), each.end()); });
  }
  Octets together() const {
    Octets out;
    for (const Octets& frame : frames_) {
      const Decoded d = decoded(frame);
      out.insert(out.end(), d.tcp.payload.begin(), d.tcp.payload.end());
    }
    return out;
  }

  Segmentation segmentation_;
  std::vector<Octets> frames_;
};

TEST_F(SegmentationTest, SuperPacketBecomesSegmentsThatFit) {
  const Octets payload = stream(20'000);
  for (const bool six : {false, true}) {
    SCOPED_TRACE(six ? "IPv6" : "IPv4");
    Tcp tcp{.flags = kAck | kPsh | kFin | kCwr, .options = kTimestamp, .payload = payload};
    if (six) tcp.src = v6(1), tcp.dst = v6(2);
    Octets frame = ethernet(six ? 0x86dd : 0x0800, ip_tcp(tcp));
    unfinish(frame, 0);
    ASSERT_EQ(cut(frame), Result::kCut);
    const std::size_t full = 1'500 - (six ? 40 : 20) - 20 - kTimestamp.size();
    ASSERT_EQ(frames_.size(), (payload.size() + full - 1) / full);
    EXPECT_EQ(together(), payload);
    for (std::size_t i = 0; i < frames_.size(); ++i) {
      SCOPED_TRACE(i);
      const bool last = i + 1 == frames_.size();
      const Decoded d = decoded(frames_[i]);
      ASSERT_EQ(d.kind, Kind::kTcp);
      EXPECT_EQ(check_tcp_checksum(d), ChecksumState::kRight);
      EXPECT_EQ(d.tcp.seq, SeqNum{1000} + static_cast<std::uint32_t>(i * full));
      EXPECT_EQ(d.tcp.ack, SeqNum{2000});
      EXPECT_EQ(d.tcp.window, 501);
      EXPECT_EQ(d.tcp.flags.bits, kAck | (last ? kPsh | kFin : 0) | (i == 0 ? kCwr : 0)) << "PSH and FIN on the last, CWR on the first";
      EXPECT_EQ(Octets(d.tcp.options.begin(), d.tcp.options.end()), kTimestamp);
      EXPECT_EQ(d.ttl, 61);
      EXPECT_EQ(d.ip_id, six ? 0 : 77 + i);
      EXPECT_EQ(d.ip_bytes, d.ip.size());
      if (!six) {
        EXPECT_EQ(ones_complement_sum(d.ip.first(20)), 0xffff) << "an IPv4 header with its checksum";
      }
      EXPECT_EQ(frames_[i].size(), last ? frames_[i].size() : 1'514U);
      EXPECT_LE(frames_[i].size(), 1'514U);
      EXPECT_TRUE(std::equal(frame.begin(), frame.begin() + 14, frames_[i].begin()));
    }
  }
}

TEST_F(SegmentationTest, WhatFitsIsGivenAsItWas) {
  const Octets exact = ethernet(0x0800, ip_tcp({.payload = stream(1'460)}));
  EXPECT_EQ(cut(exact), Result::kAsItWas);
  EXPECT_EQ(frames_, std::vector<Octets>{exact});
  const Octets arp = ethernet(0x0806, stream(46));
  EXPECT_EQ(cut(arp), Result::kAsItWas);
  EXPECT_EQ(frames_, std::vector<Octets>{arp});
  EXPECT_EQ(cut(ethernet(0x0800, ip_tcp({.payload = stream(1'461)}))), Result::kCut);
  ASSERT_EQ(frames_.size(), 2U);
  EXPECT_EQ(decoded(frames_[1]).tcp.payload.size(), 1U);
}

TEST_F(SegmentationTest, UnfinishedChecksumsAreMadeWhole) {
  for (const bool six : {false, true}) {
    Tcp tcp;
    if (six) tcp.src = v6(1), tcp.dst = v6(2);
    const Octets whole = ethernet(six ? 0x86dd : 0x0800, ip_tcp(tcp));
    Octets frame = whole;
    unfinish(frame, static_cast<std::uint32_t>(whole.size()) - 14 - (six ? 40 : 20));
    ASSERT_NE(frame, whole);
    EXPECT_EQ(cut(frame), Result::kFinished);
    EXPECT_EQ(frames_, std::vector<Octets>{whole});
  }
}

TEST_F(SegmentationTest, AnUnfinishedChecksumInATunnelIsMadeWhole) {
  const Octets inner = ip_tcp();
  const Octets whole = ethernet(0x0800, ipv4(17, vxlan(7, ethernet(0x0800, inner))));
  Octets frame = whole;
  unfinish(frame, static_cast<std::uint32_t>(inner.size()) - 20);
  ASSERT_NE(frame, whole);
  EXPECT_EQ(cut(frame), Result::kFinished);
  EXPECT_EQ(frames_, std::vector<Octets>{whole});
}

TEST_F(SegmentationTest, UdpChecksumsAreMadeWholeToo) {
  for (const bool six : {false, true}) {
    SCOPED_TRACE(six);
    const Octets datagram = udp(9'999, text("a question"));
    Octets frame = six ? ethernet(0x86dd, ipv6(17, datagram)) : ethernet(0x0800, ipv4(17, datagram));
    EXPECT_EQ(cut(frame), Result::kAsItWas) << "0: it has none";
    const Decoded d = decoded(frame);
    const std::uint16_t pseudo = pseudo_header_sum(d.src, d.dst, 17, static_cast<std::uint32_t>(datagram.size()));
    const std::size_t at = frame.size() - datagram.size();
    set16(frame, at + 6, pseudo);
    ASSERT_EQ(cut(frame), Result::kFinished);
    EXPECT_EQ(ones_complement_add(pseudo, ones_complement_sum(std::span(frames_[0]).subspan(at))), 0xffff);
    set16(frame, at + 6, pseudo + 1U);
    EXPECT_EQ(cut(frame), Result::kAsItWas) << "wrong, and not by offload";
  }
}

TEST_F(SegmentationTest, AWrongChecksumStaysWrong) {
  Octets frame = ethernet(0x0800, ip_tcp({.payload = stream(4'000)}));
  set8(frame, 100, 0x55);
  ASSERT_EQ(check_tcp_checksum(decoded(frame)), ChecksumState::kWrong);
  ASSERT_EQ(cut(frame), Result::kCut);
  for (const Octets& each : frames_) EXPECT_EQ(check_tcp_checksum(decoded(each)), ChecksumState::kWrong);
  ASSERT_EQ(cut(frame, 1'500, 14, true), Result::kCut);
  for (const Octets& each : frames_) EXPECT_EQ(check_tcp_checksum(decoded(each)), ChecksumState::kRight);
}

TEST_F(SegmentationTest, VlanTagsStay) {
  const Octets payload = stream(5'000);
  const Octets frame = ethernet(0x8100, vlan(42, 0x0800, ip_tcp({.payload = payload})));
  ASSERT_EQ(cut(frame, 1'500, 18), Result::kCut);
  EXPECT_EQ(together(), payload);
  for (const Octets& each : frames_) EXPECT_TRUE(std::equal(frame.begin(), frame.begin() + 18, each.begin()));
}

TEST_F(SegmentationTest, IpOptionsAndExtensionHeadersStay) {
  const Octets payload = stream(3'000);
  Octets with_options = ip_tcp({.payload = payload});
  const Octets router_alert = hex("94040000");
  with_options.insert(with_options.begin() + 20, router_alert.begin(), router_alert.end());
  set8(with_options, 0, 0x46);
  set16(with_options, 2, with_options.size());
  fix_ipv4(with_options);
  ASSERT_EQ(cut(ethernet(0x0800, with_options)), Result::kCut);
  EXPECT_EQ(together(), payload);
  for (const Octets& each : frames_) EXPECT_EQ(Octets(each.begin() + 34, each.begin() + 38), router_alert);

  const Octets destination_options = hex("06000104 00000000");
  const Octets six = ipv6(60, destination_options + after_ipv6_header(ip_tcp({.src = v6(1), .dst = v6(2), .payload = payload})));
  ASSERT_EQ(cut(ethernet(0x86dd, six)), Result::kCut);
  EXPECT_EQ(together(), payload);
  for (const Octets& each : frames_) {
    EXPECT_EQ(Octets(each.begin() + 54, each.begin() + 62), destination_options);
    EXPECT_LE(each.size(), 1'514U);
  }
}

TEST_F(SegmentationTest, SuperPacketsBeyondTheLengthField) {
  const Octets payload = stream(100'000);
  const std::size_t full = 65'000;
  Octets whole;  // headers as emitted, the payload beyond what they can say
  const Octets four = ip_tcp({.payload = stream(1)});
  whole.assign(four.begin(), four.begin() + 40);
  whole = whole + payload;
  set16(whole, 2, 0);
  fix_ipv4(whole);
  Octets frame = ethernet(0x0800, whole);
  unfinish(frame, 0);
  ASSERT_EQ(cut(frame), Result::kCut);
  EXPECT_EQ(together(), payload);

  const Octets six = ip_tcp({.src = v6(1), .dst = v6(2), .payload = stream(full)});
  const Octets tcp = Octets(six.begin() + 40, six.begin() + 60) + payload;
  const Octets jumbo = hex("0600c204") + number(tcp.size() + 8, 4);
  Octets long_one = ipv6(0, jumbo + tcp);
  set16(long_one, 4, 0);
  frame = ethernet(0x86dd, long_one);
  unfinish(frame, 0);
  ASSERT_EQ(decoded(frame).kind, Kind::kTcp);
  ASSERT_EQ(cut(frame), Result::kCut);
  EXPECT_EQ(together(), payload);
  for (const Octets& each : frames_) {
    EXPECT_EQ(std::to_integer<unsigned>(each.at(20)), 6U) << "no hop-by-hop header: its length was the super-packet's";
    EXPECT_EQ(check_tcp_checksum(decoded(each)), ChecksumState::kRight);
  }
}

TEST_F(SegmentationTest, UrgentDataIsPointedAtFromEachSegmentBeforeItsEnd) {
  Octets ip = ip_tcp({.flags = kAck | kUrg, .payload = stream(4'000)});
  set16(ip, 38, 2'000);
  Octets frame = ethernet(0x0800, ip);
  unfinish(frame, 0);
  ASSERT_EQ(cut(frame), Result::kCut);
  ASSERT_EQ(frames_.size(), 3U);
  const auto urgent = [&](std::size_t i) { return std::to_integer<unsigned>(frames_[i].at(52)) << 8U | std::to_integer<unsigned>(frames_[i].at(53)); };
  EXPECT_EQ(urgent(0), 2'000U);
  EXPECT_EQ(urgent(1), 540U);
  EXPECT_EQ(urgent(2), 0U);
  EXPECT_EQ(decoded(frames_[1]).tcp.flags.bits, kAck | kUrg);
  EXPECT_EQ(decoded(frames_[2]).tcp.flags.bits, kAck);
}

TEST_F(SegmentationTest, WhatCannotBeCutIsNotGiven) {
  const Octets tcp = ip_tcp({.payload = stream(4'000)});
  for (const Octets& frame :
       {ethernet(0x0800, ipv4(17, udp(9'999, stream(4'000)))), ethernet(0x0800, ipv4(17, vxlan(7, ethernet(0x0800, tcp)))), ethernet(0x0806, stream(2'000)),
        ethernet(0x0800, ip_tcp({.flags = kSyn, .payload = stream(4'000)})), ethernet(0x8864, pppoe(ppp(0x21, tcp)))}) {
    EXPECT_EQ(cut(frame), Result::kTooLong);
    EXPECT_TRUE(frames_.empty());
  }
  EXPECT_EQ(cut(ethernet(0x0800, tcp), 45), Result::kTooLong) << "headers leave no room";
}

}  // namespace
}  // namespace weir::wire
