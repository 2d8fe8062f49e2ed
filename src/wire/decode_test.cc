#include "wire/decode.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "wire/sample_encapsulations.h"
#include "wire/sample_packets.h"

namespace weir::wire {
namespace {

using namespace sample;

RawPacket raw(const Octets& bytes, LinkType link = LinkType::kEthernet, std::size_t original = 0) {
  RawPacket packet;
  packet.bytes = bytes;
  packet.original_bytes = static_cast<std::uint32_t>(original != 0 ? original : bytes.size());
  packet.link = link;
  return packet;
}

/// What was decoded, with octets of its own that it points into: exactly as many as there are, for the address sanitizer.
struct Seen : Decoded {
  Octets octets;
};

Seen decoded(const Octets& bytes, LinkType link = LinkType::kEthernet, std::size_t original = 0) {
  Seen out;
  out.octets = bytes;
  decode(raw(out.octets, link, original), out);
  return out;
}

Octets first(const Octets& bytes, std::size_t n) { return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n)}; }

TEST(Decode, EveryEncapsulationIsUnwrapped) {
  for (const Encapsulation& row : encapsulations()) {
    const Seen out = decoded(row.packet, row.link);
    ASSERT_EQ(out.kind, Kind::kTcp) << row.name << ": " << decode_event_name(out.error);
    EXPECT_EQ(out.tcp.payload.size(), 11U) << row.name;
    EXPECT_EQ(out.tcp.dst_port, 80) << row.name;
    EXPECT_EQ(out.protocol, 6) << row.name;
    EXPECT_EQ(check_tcp_checksum(out), ChecksumState::kRight) << row.name;
    EXPECT_EQ(out.tunnel != 0, row.tunnel) << row.name;
    EXPECT_EQ(out.tunnel_pair != 0, row.tunnel) << row.name;
    const bool is_v6 = out.ip_version == 6;
    EXPECT_EQ(out.src, is_v6 ? sample::v6(1) : v4(0x0a000001)) << row.name;
    EXPECT_EQ(out.dst, is_v6 ? sample::v6(2) : v4(0x0a000002)) << row.name;
  }
}

TEST(Decode, EveryEncapsulationWithATrailer) {
  for (const Encapsulation& row : encapsulations()) {
    const Seen out = decoded(row.packet + hex("aaaaaaaaaaaa"), row.link);
    ASSERT_EQ(out.kind, Kind::kTcp) << row.name;
    EXPECT_EQ(out.tcp.payload.size(), 11U) << row.name << ": the trailer is no payload";
    EXPECT_EQ(check_tcp_checksum(out), ChecksumState::kRight) << row.name;
  }
}

TEST(Decode, EveryEncapsulationCutAtEveryLength) {
  for (const Encapsulation& row : encapsulations())
    for (std::size_t n = 0; n < row.packet.size(); ++n) {
      const Octets cut = first(row.packet, n);  // of its own, so that the address sanitizer sees its end
      const Seen by_snap_length = decoded(cut, row.link, row.packet.size());
      if (by_snap_length.kind == Kind::kTcp) {
        EXPECT_EQ(by_snap_length.tcp.payload_bytes, 11U) << row.name << ", " << n;
        EXPECT_FALSE(by_snap_length.tcp.options_broken) << row.name << ", " << n;
        EXPECT_EQ(check_tcp_checksum(by_snap_length), ChecksumState::kUnknown) << row.name << ", " << n;
      }
      const Seen short_on_the_wire = decoded(cut, row.link);
      EXPECT_NE(short_on_the_wire.kind, Kind::kTcp) << row.name << ", " << n;
    }
}

TEST(Decode, EveryEncapsulationWithEveryOctetChanged) {
  // Nothing is claimed but that it ends, and that the sanitizers stay silent.
  for (const Encapsulation& row : encapsulations())
    for (std::size_t at = 0; at < row.packet.size(); ++at)
      for (const unsigned value : {0x00U, 0x01U, 0x7fU, 0x80U, 0xffU}) {
        Octets changed = row.packet;
        set8(changed, at, value);
        const Seen out = decoded(changed, row.link);
        if (out.kind == Kind::kTcp) {
          EXPECT_LE(out.tcp.payload.size(), changed.size());
          check_tcp_checksum(out);
        }
      }
}

TEST(Decode, NothingIsLeftOverFromTheLastPacket) {
  Decoded out;
  decode(raw(ethernet(0x0800, ipv4(17, vxlan(7, ethernet(0x0800, ip_tcp({.options = hex("1e041101")})))))), out);
  ASSERT_NE(out.tunnel, 0U);
  decode(raw(ethernet(0x0800, ip_tcp())), out);
  EXPECT_EQ(out.tunnel, 0U);
  EXPECT_EQ(out.tunnel_pair, 0U);
  EXPECT_FALSE(out.tcp.has_mptcp);
  decode(raw(hex("00")), out);
  EXPECT_EQ(out.kind, Kind::kBad);
  EXPECT_EQ(out.ip_version, 0);
  EXPECT_TRUE(out.ip.empty());
}

TEST(Decode, TheFastPathAndTheOthersAgree) {
  const Octets ip = ip_tcp({.options = hex("0101080a0000000100000002")});
  const Seen plain = decoded(ethernet(0x0800, ip));
  const Seen tagged = decoded(ethernet(0x8100, vlan(5, 0x0800, ip)));
  for (const Decoded* out : {&plain, &tagged}) {
    EXPECT_EQ(out->kind, Kind::kTcp);
    EXPECT_EQ(out->ip_version, 4);
    EXPECT_EQ(out->ttl, 61);
    EXPECT_EQ(out->ip_id, 77U);
    EXPECT_EQ(out->ip_bytes, ip.size());
    EXPECT_EQ(out->ip.size(), ip.size());
    EXPECT_EQ(out->tcp.ts_echo, 2U);
    EXPECT_EQ(out->tunnel, 0U);
  }
}

struct Malformed {
  const char* what;
  LinkType link;
  Octets packet;
  Kind kind;
  DecodeError error;
};

Octets changed16(Octets packet, std::size_t at, std::size_t value) {
  set16(packet, at, value);
  return packet;
}
Octets changed8(Octets packet, std::size_t at, std::size_t value) {
  set8(packet, at, value);
  return packet;
}
Octets fixed_ipv4(Octets packet) {
  fix_ipv4(packet);
  return packet;
}

TEST(Decode, MalformedPackets) {
  const Octets ip = ip_tcp();
  const Octets ip6 = ip6_tcp();
  constexpr auto kRaw = LinkType::kRaw;
  constexpr auto kEther = LinkType::kEthernet;
  for (const Malformed& row : {
           Malformed{"no octets", kEther, {}, Kind::kBad, DecodeError::kLinkTruncated},
           Malformed{"link unsupported", LinkType::kUnsupported, ip, Kind::kBad, DecodeError::kLinkUnsupported},
           Malformed{"ARP", kEther, ethernet(0x0806, Octets(28)), Kind::kNotIp, DecodeError::kNone},
           Malformed{"VLAN tag cut", kEther, ethernet(0x8100, hex("0001")), Kind::kBad, DecodeError::kVlanTruncated},
           Malformed{"MPLS without bottom", kEther, ethernet(0x8847, hex("00001040")), Kind::kBad, DecodeError::kMplsTruncated},
           Malformed{"PPPoE length", kEther, ethernet(0x8864, changed16(pppoe(ppp(0x21, ip)), 4, 9999)), Kind::kBad, DecodeError::kPppoeTruncated},
           Malformed{"PPPoE discovery code", kEther, ethernet(0x8864, changed8(pppoe(ppp(0x21, ip)), 1, 9)), Kind::kNotIp, DecodeError::kNone},
           Malformed{"PPP empty", LinkType::kPpp, hex("ff03"), Kind::kBad, DecodeError::kPppTruncated},
           Malformed{"PPP LCP", LinkType::kPpp, hex("ff03c021"), Kind::kNotIp, DecodeError::kNone},
           Malformed{"loopback of another family", LinkType::kNull, hex("07000000") + ip, Kind::kNotIp, DecodeError::kNone},
           Malformed{"raw IP of version 5", kRaw, changed8(ip, 0, 0x55), Kind::kBad, DecodeError::kIpv4BadVersion},
           Malformed{"IPv4 type with version 6", kEther, ethernet(0x0800, ip6), Kind::kBad, DecodeError::kIpv4BadVersion},
           Malformed{"IPv6 type with version 4", kEther, ethernet(0x86dd, ip), Kind::kBad, DecodeError::kIpv6BadVersion},
           Malformed{"IPv4 header length 16", kRaw, fixed_ipv4(changed8(ip, 0, 0x44)), Kind::kBad, DecodeError::kIpv4HeaderTooSmall},
           Malformed{"IPv4 total length 19", kRaw, fixed_ipv4(changed16(ip, 2, 19)), Kind::kBad, DecodeError::kIpv4LengthTooSmall},
           Malformed{"IPv4 total length 0 in a short frame", kRaw, fixed_ipv4(changed16(ip, 2, 0)), Kind::kBad, DecodeError::kIpv4LengthTooSmall},
           Malformed{"IPv4 total length beyond", kRaw, fixed_ipv4(changed16(ip, 2, ip.size() + 1)), Kind::kBad, DecodeError::kIpv4Truncated},
           Malformed{"IPv4 checksum", kRaw, changed8(ip, 8, 7), Kind::kBad, DecodeError::kIpv4BadChecksum},
           Malformed{"IPv4 checksum, fast path", kEther, ethernet(0x0800, changed8(ip, 8, 7)), Kind::kBad, DecodeError::kIpv4BadChecksum},
           Malformed{"IPv4 checksum 0", kRaw, changed16(ip, 10, 0), Kind::kTcp, DecodeError::kNone},
           Malformed{"IPv6 payload length beyond", kRaw, changed16(ip6, 4, 9999), Kind::kBad, DecodeError::kIpv6Truncated},
           Malformed{"IPv6 without payload", kRaw, changed16(ip6, 4, 0), Kind::kBad, DecodeError::kTcpTruncated},
           Malformed{"IPv6 extension beyond", kRaw, ipv6(60, hex("06ff000000000000")), Kind::kBad, DecodeError::kIpv6ExtensionTruncated},
           Malformed{"IPv6 fragment header cut", kRaw, ipv6(44, hex("06000000")), Kind::kBad, DecodeError::kIpv6ExtensionTruncated},
           Malformed{"IPv6 hop-by-hop in second place", kRaw, ipv6(60, hex("0000010400000000 0600010400000000")), Kind::kOtherIp, DecodeError::kNone},
           Malformed{"IPv6 jumbo of ordinary size", kRaw, ipv6(0, hex("0600c20400000100")), Kind::kBad, DecodeError::kIpv6ExtensionTruncated},
           Malformed{"IPv6 no next header", kRaw, ipv6(59, hex("00")), Kind::kOtherIp, DecodeError::kNone},
           Malformed{"TCP cut", kRaw, ipv4(6, hex("9c40005000")), Kind::kBad, DecodeError::kTcpTruncated},
           Malformed{"UDP", kRaw, ipv4(17, udp(53, hex("00"))), Kind::kOtherIp, DecodeError::kNone},
           Malformed{"GRE cut", kRaw, ipv4(47, hex("0000")), Kind::kBad, DecodeError::kGreTruncated},
           Malformed{"GRE version 2", kRaw, ipv4(47, hex("00020800")), Kind::kBad, DecodeError::kGreBadVersion},
           Malformed{"GRE key cut", kRaw, ipv4(47, hex("20000800 0000")), Kind::kBad, DecodeError::kGreTruncated},
           Malformed{"GRE of something else", kRaw, ipv4(47, hex("0000883f 00000000")), Kind::kOtherIp, DecodeError::kNone},
           Malformed{"GRE with a bad IP packet", kRaw, ipv4(47, hex("00000800 00000000")), Kind::kBad, DecodeError::kIpv4Truncated},
           Malformed{"random octets on the VXLAN port", kRaw, ipv4(17, udp(4789, hex("1234567890abcdef1234567890"))), Kind::kOtherIp, DecodeError::kNone},
           Malformed{"VXLAN with random octets", kRaw, ipv4(17, vxlan(1, hex("0123456789abcdef0123456708004500ffff"))), Kind::kOtherIp, DecodeError::kNone},
           Malformed{"VXLAN with ARP", kRaw, ipv4(17, vxlan(1, ethernet(0x0806, Octets(28)))), Kind::kOtherIp, DecodeError::kNone},
           Malformed{"VXLAN with a bad TCP header", kRaw, ipv4(17, vxlan(1, ethernet(0x0800, ipv4(6, hex("00"))))), Kind::kBad, DecodeError::kTcpTruncated},
           Malformed{"nothing on the GENEVE port", kRaw, ipv4(17, udp(6081, {})), Kind::kOtherIp, DecodeError::kNone},
           Malformed{"GENEVE options beyond", kRaw, ipv4(17, changed8(geneve(1, 0x0800, {}, ip), 8, 0x3f)), Kind::kOtherIp, DecodeError::kNone},
           Malformed{"GTP echo request", kRaw, ipv4(17, udp(2152, hex("3201000400000000 00000000"))), Kind::kOtherIp, DecodeError::kNone},
           Malformed{"GTP extension of length 0", kRaw, ipv4(17, gtp(1, ip, 0x34, hex("00000085 00"))), Kind::kOtherIp, DecodeError::kNone},
           Malformed{"UDP length beyond", kRaw, ipv4(17, changed16(vxlan(1, ethernet(0x0800, ip)), 4, 9999)), Kind::kOtherIp, DecodeError::kNone},
       }) {
    const Seen out = decoded(row.packet, row.link);
    EXPECT_EQ(out.kind, row.kind) << row.what << ": " << decode_event_name(out.error);
    EXPECT_EQ(out.error, row.error) << row.what << ": " << decode_event_name(out.error);
  }
}

TEST(Decode, WhatAUdpDatagramCarries) {
  const Octets message = hex("0102030405");
  Seen out = decoded(ipv4(17, udp(53, message)), LinkType::kRaw);
  EXPECT_EQ(out.kind, Kind::kOtherIp);
  EXPECT_EQ(out.udp.dst_port, 53);
  EXPECT_TRUE(std::ranges::equal(out.udp.payload, message));
  EXPECT_TRUE(std::ranges::equal(decoded(ipv4(17, vxlan(1, ethernet(0x0800, ipv4(17, udp(53, message))))), LinkType::kRaw).udp.payload, message))
      << "in a tunnel";
  EXPECT_TRUE(decoded(ipv4(17, changed16(udp(53, message), 4, 9999)), LinkType::kRaw).udp.payload.empty()) << "longer than the packet";
  EXPECT_TRUE(decoded(ipv4(17, changed16(udp(53, message), 4, 7)), LinkType::kRaw).udp.payload.empty()) << "shorter than its header";
  EXPECT_EQ(decoded(ipv4(17, changed16(udp(53, message), 4, 10)), LinkType::kRaw).udp.payload.size(), 2U);
  decode(raw(ip_tcp(), LinkType::kRaw), out);
  EXPECT_TRUE(out.udp.payload.empty()) << "nothing is left of the packet before";
}

TEST(Decode, ATunnelGivenUpLeavesTheOuterPacket) {
  const Seen out = decoded(ipv4(17, vxlan(1, ethernet(0x0806, Octets(28)))), LinkType::kRaw);
  EXPECT_EQ(out.kind, Kind::kOtherIp);
  EXPECT_EQ(out.src, v4(0xc0000201));
  EXPECT_EQ(out.protocol, 17);
  EXPECT_EQ(out.tunnel, 0U);
  EXPECT_EQ(out.ip.size(), out.ip_bytes);
}

TEST(Decode, TooManyLayers) {
  Octets packet = ip_tcp();
  for (int i = 0; i < 100; ++i) packet = ipv4(4, packet);
  EXPECT_EQ(decoded(packet, LinkType::kRaw).error, DecodeError::kTooManyLayers);
  Octets tags = vlan(1, 0x0800, ip_tcp());
  for (int i = 0; i < 100; ++i) tags = vlan(1, 0x8100, tags);
  const Seen out = decoded(ethernet(0x8100, tags));
  EXPECT_EQ(out.kind, Kind::kBad);
  EXPECT_EQ(out.error, DecodeError::kTooManyLayers);
}

TEST(Decode, CutBySnapLengthIsNoError) {
  const Octets whole = ethernet(0x0800, ip_tcp({.payload = Octets(1000)}));
  const Seen out = decoded(first(whole, 96), LinkType::kEthernet, whole.size());
  ASSERT_EQ(out.kind, Kind::kTcp);
  EXPECT_EQ(out.tcp.payload.size(), 96U - 54);
  EXPECT_EQ(out.tcp.payload_bytes, 1000U);
  EXPECT_EQ(out.ip_bytes, 1040U);
  EXPECT_EQ(out.ip.size(), 82U);
  EXPECT_EQ(check_tcp_checksum(out), ChecksumState::kUnknown);
}

TEST(Decode, MergedFramesWithoutALength) {
  // Segmentation offload leaves a total length of 0; BIG TCP does for IPv6.
  Octets v4_packet = ip_tcp({.payload = Octets(9000)});
  set16(v4_packet, 2, 0);
  fix_ipv4(v4_packet);
  Seen out = decoded(ethernet(0x0800, v4_packet));
  ASSERT_EQ(out.kind, Kind::kTcp);
  EXPECT_EQ(out.tcp.payload_bytes, 9000U);

  Octets v6_packet = ip_tcp({.src = sample::v6(1), .dst = sample::v6(2), .payload = Octets(9000)});
  set16(v6_packet, 4, 0);
  out = decoded(ethernet(0x86dd, v6_packet));
  ASSERT_EQ(out.kind, Kind::kTcp);
  EXPECT_EQ(out.tcp.payload_bytes, 9000U);
  EXPECT_EQ(check_tcp_checksum(out), ChecksumState::kRight);
}

TEST(Decode, JumboPayloadOption) {
  const Octets segment = after_ipv6_header(ip6_tcp()) + Octets(100000);
  const Octets hop_by_hop = hex("0600c204") + number(segment.size() + 8, 4);
  Octets packet = ipv6(0, hop_by_hop + segment, sample::v6(1), sample::v6(2));
  set16(packet, 4, 0);
  const Seen out = decoded(ethernet(0x86dd, packet + hex("ffff")));
  ASSERT_EQ(out.kind, Kind::kTcp);
  EXPECT_EQ(out.tcp.payload_bytes, 100011U);
  EXPECT_EQ(out.ip_bytes, packet.size());
  set16(packet, 4, 100);
  EXPECT_EQ(decoded(ethernet(0x86dd, packet)).kind, Kind::kBad) << "RFC 2675 §3: with a payload length, too";
}

TEST(Decode, ARouteNotDoneYetEndsAtTheDestination) {
  const Octets segment = after_ipv6_header(ip6_tcp());
  struct Row {
    const char* what;
    Octets routing;
  };
  const Octets last = hex("20010db8000000000000000000000002");
  const Octets other = hex("20010db80000000000000000000000aa");
  for (const Row& row : {
           Row{"type 0", hex("06040002 00000000") + other + last},
           Row{"type 2", hex("06020201 00000000") + last},
           Row{"segment routing", hex("06040401 01000000") + last + other},
       }) {
    const Seen out = decoded(ipv6(43, row.routing + segment, sample::v6(1), sample::v6(0xbb)), LinkType::kRaw);
    ASSERT_EQ(out.kind, Kind::kTcp) << row.what;
    EXPECT_EQ(out.dst, sample::v6(2)) << row.what;
    EXPECT_EQ(check_tcp_checksum(out), ChecksumState::kRight) << row.what;
  }
  const Seen done = decoded(ipv6(43, hex("06020200 00000000") + other + segment, sample::v6(1), sample::v6(2)), LinkType::kRaw);
  EXPECT_EQ(done.dst, sample::v6(2)) << "no segments left: the header has it";
}

TEST(Decode, FragmentsAreTold) {
  Octets packet = ip_tcp({.payload = Octets(100)});
  set16(packet, 6, 0x2000 | 3);
  fix_ipv4(packet);
  const Seen v4_out = decoded(ethernet(0x0800, packet + hex("0000")));
  ASSERT_EQ(v4_out.kind, Kind::kFragment);
  EXPECT_EQ(v4_out.fragment.id, 77U);
  EXPECT_EQ(v4_out.fragment.offset_bytes, 24U);
  EXPECT_TRUE(v4_out.fragment.more);
  EXPECT_EQ(v4_out.fragment.protocol, 6);
  EXPECT_EQ(v4_out.fragment.payload.size(), 120U);
  EXPECT_EQ(v4_out.fragment.payload_bytes, 120U);
  EXPECT_EQ(v4_out.fragment.header.size(), 20U);

  const Octets extensions = hex("2c00010400000000") + hex("06000011 12345678");
  const Seen v6_out = decoded(ipv6(60, extensions + Octets(32)), LinkType::kRaw);
  ASSERT_EQ(v6_out.kind, Kind::kFragment);
  EXPECT_EQ(v6_out.fragment.id, 0x12345678U);
  EXPECT_EQ(v6_out.fragment.offset_bytes, 16U);
  EXPECT_TRUE(v6_out.fragment.more);
  EXPECT_EQ(v6_out.fragment.header.size(), 48U);
  EXPECT_EQ(v6_out.fragment.next_header_offset, 40U);
  EXPECT_EQ(v6_out.fragment.payload.size(), 32U);
}

TEST(Decode, TunnelIdentities) {
  const auto identity = [](const Octets& packet) {
    const Seen out = decoded(packet, LinkType::kRaw);
    EXPECT_EQ(out.kind, Kind::kTcp);
    return out.tunnel;
  };
  const Octets ip = ip_tcp();
  const Octets frame = ethernet(0x0800, ip);
  const std::vector<Octets> all_different = {
      ip,
      ipv4(4, ip),
      ipv4(4, ip, 0xc0000201, 0xc0000203),
      ipv4(4, ipv4(4, ip)),
      ipv4(4, ipv4(4, ip, 1, 2)),
      ipv4(47, gre(0, 0x0800, {}, ip)),
      ipv4(47, gre(0x2000, 0x0800, hex("00000000"), ip)),
      ipv4(47, gre(0x2000, 0x0800, hex("00000001"), ip)),
      ipv4(17, vxlan(1, frame)),
      ipv4(17, vxlan(2, frame)),
      ipv4(17, geneve(1, 0x0800, {}, ip)),
      ipv4(17, gtp(1, ip)),
      ipv4(17, gtp(2, ip)),
      ipv6(4, ip),
  };
  std::set<std::uint64_t> seen;
  for (const Octets& packet : all_different) EXPECT_TRUE(seen.insert(identity(packet)).second);

  EXPECT_EQ(identity(ipv4(17, vxlan(1, frame), 5, 6)), identity(ipv4(17, vxlan(1, frame), 6, 5))) << "the addresses are unordered";
  EXPECT_EQ(identity(ipv4(47, gre(0x1000, 0x0800, hex("00000009"), ip))), identity(ipv4(47, gre(0, 0x0800, {}, ip)))) << "sequence numbers are no identity";
  const Seen up = decoded(ipv4(17, gtp(1, ip), 5, 6), LinkType::kRaw);
  const Seen down = decoded(ipv4(17, gtp(2, ip), 6, 5), LinkType::kRaw);
  EXPECT_NE(up.tunnel, down.tunnel);
  EXPECT_EQ(up.tunnel_pair, down.tunnel_pair) << "a TEID is of one direction";
  const Seen plain = decoded(ipv4(17, vxlan(1, frame)), LinkType::kRaw);
  EXPECT_EQ(plain.tunnel, plain.tunnel_pair);
}

TEST(CheckTcpChecksum, RightOffloadedWrong) {
  for (const bool six : {false, true}) {
    const Octets ip = six ? ip6_tcp() : ip_tcp();
    const std::size_t at = ip.size() - 31 + 16;
    const IpAddress src = six ? sample::v6(1) : v4(0x0a000001);
    const IpAddress dst = six ? sample::v6(2) : v4(0x0a000002);
    const auto state = [&](std::size_t field) { return check_tcp_checksum(decoded(changed16(ip, at, field), LinkType::kRaw)); };
    EXPECT_EQ(check_tcp_checksum(decoded(ip, LinkType::kRaw)), ChecksumState::kRight);
    EXPECT_EQ(state(pseudo_header_sum(src, dst, 6, 31)), ChecksumState::kPseudoHeader);
    EXPECT_EQ(state(pseudo_header_sum(src, dst, 6, 0)), ChecksumState::kPseudoHeader);
    EXPECT_EQ(state(0), ChecksumState::kWrong);
    EXPECT_EQ(state(0x1234), ChecksumState::kWrong);
  }
}

TEST(DecodeEventName, EveryErrorHasOne) {
  std::set<std::string> names;
  for (unsigned i = 1; i <= static_cast<unsigned>(DecodeError::kFragmentBadLength); ++i) {
    const std::string name = decode_event_name(static_cast<DecodeError>(i));
    EXPECT_TRUE(name.starts_with("decoder.")) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_STREQ(decode_event_name(DecodeError::kIpv4Truncated), "decoder.ipv4.trunc_pkt");
  EXPECT_STREQ(decode_event_name(DecodeError::kFragmentOverlap, 6), "decoder.ipv6.frag_overlap");
}

}  // namespace
}  // namespace weir::wire
