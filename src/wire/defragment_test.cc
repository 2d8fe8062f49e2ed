#include "wire/defragment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "wire/sample_packets.h"

namespace weir::wire {
namespace {

using namespace sample;
using Result = Defragmenter::Result;

/// A fragment of an IPv4 packet: the payload's octets from `begin` to `end`.
Octets v4_fragment(const Octets& packet, std::size_t begin, std::size_t end, bool more) {
  Octets out(packet.begin(), packet.begin() + 20);
  out.insert(out.end(), packet.begin() + 20 + static_cast<std::ptrdiff_t>(begin), packet.begin() + 20 + static_cast<std::ptrdiff_t>(end));
  set16(out, 2, out.size());
  set16(out, 6, begin / 8 | (more ? 0x2000U : 0U));
  fix_ipv4(out);
  return out;
}
/// The same of an IPv6 packet, with a destination options header before the fragment header.
Octets v6_fragment(const Octets& packet, std::size_t begin, std::size_t end, bool more, std::uint32_t id = 9) {
  const Octets piece(packet.begin() + 40 + static_cast<std::ptrdiff_t>(begin), packet.begin() + 40 + static_cast<std::ptrdiff_t>(end));
  const Octets headers = hex("2c00010400000000") + hex("0600") + number(begin | (more ? 1U : 0U), 2) + number(id, 4);
  Octets out = ipv6(60, headers + piece, sample::v6(1), sample::v6(2));
  return out;
}

struct Fixture : testing::Test {
  Defragmenter defragmenter;
  Decoded out;
  TimeNs now = 0;

  Result push(const Octets& packet, PointId point = 0) {
    Decoded in;
    decode_ip(packet, static_cast<std::uint32_t>(packet.size()), 0, 0, in);
    EXPECT_EQ(in.kind, Kind::kFragment);
    return defragmenter.push(in, point, now, out);
  }
  void expect_whole(const Octets& packet) {
    ASSERT_EQ(out.kind, Kind::kTcp);
    EXPECT_EQ(check_tcp_checksum(out), ChecksumState::kRight);
    EXPECT_EQ(out.tcp.payload.size(), packet.size());
    EXPECT_TRUE(std::ranges::equal(out.tcp.payload, packet));
    EXPECT_EQ(defragmenter.counters().bytes_held, 0U);
  }
};

Octets pattern(std::size_t size) {
  Octets out(size);
  for (std::size_t i = 0; i < size; ++i) set8(out, i, i * 7 & 0xffU);
  return out;
}

struct Defragment : Fixture {
  Octets payload = pattern(500);
  Octets packet = ip_tcp({.payload = payload});
  Octets packet6 = ip_tcp({.src = sample::v6(1), .dst = sample::v6(2), .payload = payload});
  std::size_t size = 520;  // TCP header and payload
};

TEST_F(Defragment, InOrder) {
  EXPECT_EQ(push(v4_fragment(packet, 0, 200, true)), Result::kHeld);
  EXPECT_EQ(push(v4_fragment(packet, 200, 400, true)), Result::kHeld);
  EXPECT_GT(defragmenter.counters().bytes_held, 400U);
  EXPECT_EQ(push(v4_fragment(packet, 400, size, false)), Result::kComplete);
  expect_whole(payload);
  EXPECT_EQ(out.ip_id, 77U);
  EXPECT_EQ(out.ttl, 61);
  EXPECT_EQ(ones_complement_sum(out.ip.first(20)), 0xffff);
  EXPECT_EQ(defragmenter.counters().fragments, 3U);
  EXPECT_EQ(defragmenter.counters().datagrams, 1U);
}

TEST_F(Defragment, Ipv6WithoutItsFragmentHeader) {
  EXPECT_EQ(push(v6_fragment(packet6, 200, size, false)), Result::kHeld);
  EXPECT_EQ(push(v6_fragment(packet6, 0, 200, true)), Result::kComplete);
  expect_whole(payload);
  EXPECT_EQ(out.ip.size(), 40U + 8 + size);
}

TEST_F(Defragment, AnyOrderAnyCut) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::size_t> cuts{0, size};
    for (int i = 0; i < 10; ++i) cuts.push_back(random() % (size / 8) * 8);
    std::ranges::sort(cuts);
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    std::vector<std::size_t> order(cuts.size() - 1);
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::shuffle(order, random);
    const bool six = round % 2 == 0;
    if (six && cuts[1] < 24) continue;  // its first fragment would not hold the TCP header
    for (std::size_t n = 0; n < order.size(); ++n) {
      const std::size_t i = order[n];
      const bool more = cuts[i + 1] != size;
      const Result result = push(six ? v6_fragment(packet6, cuts[i], cuts[i + 1], more) : v4_fragment(packet, cuts[i], cuts[i + 1], more));
      ASSERT_EQ(result, n + 1 == order.size() ? Result::kComplete : Result::kHeld) << "round " << round;
    }
    expect_whole(payload);
  }
}

TEST_F(Defragment, ADuplicateIsIgnored) {
  push(v4_fragment(packet, 0, 200, true));
  EXPECT_EQ(push(v4_fragment(packet, 0, 200, true)), Result::kHeld);
  push(v4_fragment(packet, 200, 400, true));
  EXPECT_EQ(push(v4_fragment(packet, 0, 400, true)), Result::kHeld) << "what lies inside of a run is a duplicate, too";
  EXPECT_EQ(push(v4_fragment(packet, 400, size, false)), Result::kComplete);
  expect_whole(payload);
}

TEST_F(Defragment, TheFirstCopyCounts) {
  Octets other = packet;
  std::fill(other.begin() + 200, other.begin() + 220, std::byte{0});
  push(v4_fragment(packet, 0, 400, true));
  push(v4_fragment(other, 0, 400, true));
  EXPECT_EQ(push(v4_fragment(packet, 400, size, false)), Result::kComplete);
  expect_whole(payload);
}

TEST_F(Defragment, AnOverlapDropsTheWholeDatagram) {
  struct Row {
    std::size_t begin, end;
  };
  for (const Row& row : {Row{96, 208}, Row{192, 408}, Row{392, 480}, Row{0, 480}, Row{104, 216}}) {
    push(v4_fragment(packet, 200, 400, true));
    push(v4_fragment(packet, 0, 104, true));
    EXPECT_EQ(push(v4_fragment(packet, row.begin, row.end, true)), Result::kDropped) << row.begin;
    EXPECT_EQ(defragmenter.error(), DecodeError::kFragmentOverlap);
    EXPECT_EQ(defragmenter.counters().bytes_held, 0U);
  }
  EXPECT_EQ(defragmenter.counters().overlaps, 5U);
  push(v6_fragment(packet6, 0, 104, true));
  EXPECT_EQ(push(v6_fragment(packet6, 96, 200, true)), Result::kDropped);
  EXPECT_EQ(defragmenter.error(), DecodeError::kFragmentOverlap);
}

TEST_F(Defragment, ContradictoryEnds) {
  push(v4_fragment(packet, 200, 400, false));
  EXPECT_EQ(push(v4_fragment(packet, 400, 480, true)), Result::kDropped) << "beyond the end";
  EXPECT_EQ(defragmenter.error(), DecodeError::kFragmentBadLength);
  push(v4_fragment(packet, 200, 400, true));
  EXPECT_EQ(push(v4_fragment(packet, 96, 200, false)), Result::kDropped) << "an end before what there is";
  push(v4_fragment(packet, 200, 400, false));
  EXPECT_EQ(push(v4_fragment(packet, 400, 480, false)), Result::kDropped) << "two ends";
  EXPECT_EQ(defragmenter.counters().bytes_held, 0U);
}

TEST_F(Defragment, OddLengths) {
  // Linux cuts an IPv4 fragment down to a multiple of 8 and refuses an IPv6 one.
  EXPECT_EQ(push(v4_fragment(packet, 0, 205, true)), Result::kHeld);
  EXPECT_EQ(push(v4_fragment(packet, 200, size, false)), Result::kComplete);
  expect_whole(payload);
  EXPECT_EQ(push(v4_fragment(packet, 0, 7, true)), Result::kDropped);
  EXPECT_EQ(defragmenter.error(), DecodeError::kFragmentTooSmall);
  EXPECT_EQ(push(v6_fragment(packet6, 0, 205, true)), Result::kDropped);
  EXPECT_EQ(defragmenter.error(), DecodeError::kFragmentBadLength);
}

TEST_F(Defragment, AnIpv6FirstFragmentHoldsAllHeaders) {
  push(v6_fragment(packet6, 200, size, false));
  EXPECT_EQ(push(v6_fragment(packet6, 0, 16, true)), Result::kDropped);
  EXPECT_EQ(defragmenter.error(), DecodeError::kFragmentTooSmall);
  EXPECT_EQ(push(v6_fragment(packet6, 0, 200, true)), Result::kComplete) << "the rest was kept";
  expect_whole(payload);
}

TEST_F(Defragment, TooLarge) {
  Octets last = v4_fragment(packet, 0, 400, false);
  set16(last, 6, 8189);
  fix_ipv4(last);
  EXPECT_EQ(push(last), Result::kHeld);
  Octets at = v4_fragment(packet, 0, 0, true);
  // 8,189 units of 8 octets before it, in pieces that fit
  const Octets filler(65512);
  Octets first = ipv4(6, filler, 0x0a000001, 0x0a000002);
  set16(first, 4, 77);
  set16(first, 6, 0x2000);
  fix_ipv4(first);
  EXPECT_EQ(push(first), Result::kDropped);
  EXPECT_EQ(defragmenter.error(), DecodeError::kFragmentTooLarge);

  Octets beyond = v6_fragment(packet6, 0, 400, false);
  set16(beyond, 50, 65528);
  EXPECT_EQ(push(beyond), Result::kDropped);
  EXPECT_EQ(defragmenter.error(), DecodeError::kFragmentTooLarge);
  EXPECT_EQ(defragmenter.counters().bytes_held, 0U);
}

TEST_F(Defragment, KeysKeepDatagramsApart) {
  push(v4_fragment(packet, 0, 200, true));
  EXPECT_EQ(push(v4_fragment(packet, 200, size, false), 1), Result::kHeld) << "another capture point";
  Octets other_id = packet;
  set16(other_id, 4, 78);
  fix_ipv4(other_id);
  EXPECT_EQ(push(v4_fragment(other_id, 200, size, false)), Result::kHeld);
  Octets other_protocol = packet;
  set8(other_protocol, 9, 17);
  fix_ipv4(other_protocol);
  EXPECT_EQ(push(v4_fragment(other_protocol, 200, size, false)), Result::kHeld);
  EXPECT_EQ(push(v4_fragment(packet, 200, size, false)), Result::kComplete);
}

TEST_F(Defragment, CutBySnapLengthGivesUp) {
  push(v4_fragment(packet, 0, 200, true));
  const Octets whole = v4_fragment(packet, 200, 400, true);
  const Octets cut(whole.begin(), whole.begin() + 100);
  Decoded in;
  decode_ip(cut, static_cast<std::uint32_t>(whole.size()), 0, 0, in);
  ASSERT_EQ(in.kind, Kind::kFragment);
  EXPECT_EQ(defragmenter.push(in, 0, now, out), Result::kDropped);
  EXPECT_EQ(defragmenter.error(), DecodeError::kNone);
  EXPECT_EQ(defragmenter.counters().bytes_held, 0U);
}

TEST_F(Defragment, TimesOut) {
  push(v4_fragment(packet, 0, 200, true));
  now = 20'000'000'000;
  push(v4_fragment(packet, 200, 400, true));
  now = 30'000'000'001;
  EXPECT_EQ(push(v4_fragment(packet, 400, size, false)), Result::kHeld) << "the time is the first fragment's";
  EXPECT_EQ(defragmenter.counters().timeouts, 1U);
}

TEST(DefragmentLimits, TheOldestGoes) {
  Defragmenter defragmenter({.max_datagrams = 4, .max_bytes = 8192});
  Decoded out;
  const auto push = [&](std::uint16_t id, std::size_t begin, std::size_t octets) {
    Octets packet = ipv4(6, Octets(octets));
    set16(packet, 4, id);
    set16(packet, 6, begin / 8 | 0x2000U);
    fix_ipv4(packet);
    Decoded in;
    decode_ip(packet, static_cast<std::uint32_t>(packet.size()), 0, 0, in);
    const Result result = defragmenter.push(in, 0, 0, out);
    EXPECT_LE(defragmenter.counters().bytes_held, 8192U);
    return result;
  };
  for (std::uint16_t id = 0; id < 5; ++id) EXPECT_EQ(push(id, 8, 8), Result::kHeld);
  EXPECT_EQ(defragmenter.counters().evicted, 1U);
  EXPECT_EQ(push(4, 64, 6000), Result::kHeld);
  EXPECT_EQ(push(4, 8000, 6000), Result::kDropped) << "alone it exceeds the bound: everything has gone";
  EXPECT_EQ(defragmenter.counters().bytes_held, 0U);
  for (std::size_t i = 1; i < 1000; ++i) push(9, i * 16, 8);
}

TEST(DefragmentTunnels, AFragmentedTunnelGoesOnBeingUnwrapped) {
  const Octets packet = ipv4(17, vxlan(7, ethernet(0x0800, ip_tcp({.payload = Octets(300)}))));
  Decoded whole;
  decode_ip(packet, static_cast<std::uint32_t>(packet.size()), 0, 0, whole);
  Defragmenter defragmenter;
  Decoded in;
  Octets fragment = v4_fragment(packet, 0, 160, true);
  decode_ip(fragment, static_cast<std::uint32_t>(fragment.size()), 0, 0, in);
  EXPECT_EQ(defragmenter.push(in, 0, 0, in), Result::kHeld);
  fragment = v4_fragment(packet, 160, packet.size() - 20, false);
  decode_ip(fragment, static_cast<std::uint32_t>(fragment.size()), 0, 0, in);
  EXPECT_EQ(defragmenter.push(in, 0, 0, in), Result::kComplete) << "in and out may be the same";
  EXPECT_EQ(in.kind, Kind::kTcp);
  EXPECT_EQ(in.tunnel, whole.tunnel);
  EXPECT_EQ(in.tcp.payload.size(), 300U);
}

}  // namespace
}  // namespace weir::wire
