#include "rewrite/strip.h"

#include "rewrite/changed_packet_test.h"

namespace weir::rewrite {
namespace {

namespace sample = wire::sample;
using wire::mptcp::Subtype;

const Octets kTimestamps = hex("0101 080a 00000001 00000002");
const Octets kCapableSyn = hex("1e04 0181");
const Octets kDss = hex("1e08 2001 00000005");
const Octets kAddAddr = hex("1e10 3002 c0000207 8936a068bc687219");

TEST(StripMptcp, MakesEveryOption30NoOperationsInEveryHeader) {
  for (Octets packet : in_every_header(kTimestamps + kDss + kAddAddr + kCapableSyn)) {
    const Octets before = packet;
    EXPECT_EQ(strip_mptcp(packet), 3U);
    EXPECT_EQ(packet.size(), before.size());
    expect_whole(packet);
    EXPECT_EQ(mptcp_count(packet), 0U);
    const wire::Decoded decoded = read_back(packet);
    EXPECT_EQ(decoded.tcp.ts_value, 1U);
    EXPECT_EQ(decoded.tcp.ts_echo, 2U);
    EXPECT_TRUE(std::ranges::equal(decoded.tcp.payload, sample::text("hello")));
  }
}

TEST(StripMptcp, LeavesOtherSubtypes) {
  Octets packet = sample::ip_tcp({.options = kDss + kAddAddr + kCapableSyn});
  EXPECT_EQ(strip_mptcp(packet, {Subtype::kMpCapable, Subtype::kMpJoin}), 1U);
  expect_whole(packet);
  ASSERT_EQ(mptcp_count(packet), 2U);
  EXPECT_TRUE(std::holds_alternative<wire::mptcp::Dss>(mptcp_options(packet).at(0)));
  EXPECT_TRUE(std::holds_alternative<wire::mptcp::AddAddr>(mptcp_options(packet).at(1)));
}

TEST(StripMptcp, LeavesAPacketWithoutThemAsItWas) {
  Octets packet = sample::ip_tcp({.options = kTimestamps});
  sample::set16(packet, 36, 0x1234);  // an unfinished checksum stays one
  const Octets before = packet;
  EXPECT_EQ(strip_mptcp(packet), 0U);
  EXPECT_EQ(packet, before);
}

TEST(StripMptcp, FinishesAnUnfinishedChecksum) {
  Octets packet = sample::ip_tcp({.options = kCapableSyn});
  sample::set16(packet, 36, wire::pseudo_header_sum(sample::v4(0x0a000001), sample::v4(0x0a000002), 6, static_cast<std::uint32_t>(packet.size() - 20)));
  EXPECT_EQ(strip_mptcp(packet), 1U);
  expect_whole(packet);
}

TEST(StripMptcp, OptionsThatNoOneMayReadGoToo) {
  struct Row {
    const char* what;
    Octets options;
    std::size_t stripped;
  };
  const Row rows[] = {
      {"too short for a subtype", hex("1e02 0101"), 1},
      {"length 0 ends the walk", hex("1e00 0181"), 1},
      {"length 1 ends the walk", hex("1e01 0181"), 1},
      {"runs past the space", hex("1e0c 0181"), 1},
      {"kind in the last octet", hex("0101 011e"), 1},
      {"behind the end of the list", hex("0001 1e04 01810101"), 0},
      {"behind a broken option of another kind", hex("0800 1e04 01810101"), 0},
  };
  for (const Row& row : rows) {
    Octets packet = sample::ip_tcp({.options = row.options});
    EXPECT_EQ(strip_mptcp(packet, {Subtype::kMpCapable}), row.stripped) << row.what;
    EXPECT_EQ(packet.size(), 40 + row.options.size() + 11) << row.what;
    EXPECT_EQ(wire::check_tcp_checksum(read_back(packet)), wire::ChecksumState::kRight) << row.what;
  }
}

TEST(StripMptcp, RefusesWhatItCannotMakeWhole) {
  const Octets packet = sample::ip_tcp({.options = kCapableSyn});
  Octets fragment = packet;
  sample::set16(fragment, 6, 0x2000);
  sample::fix_ipv4(fragment);
  Octets udp = sample::ipv4(17, sample::udp(53, sample::text("x")));
  Octets tunnel = sample::ipv4(4, packet);
  Octets cut(packet.begin(), packet.end() - 1);
  Octets short_header = packet;
  sample::set8(short_header, 32, 0x40);
  Octets nothing;
  EXPECT_EQ(strip_mptcp(fragment), std::unexpected(Unchangeable::kFragment));
  EXPECT_EQ(strip_mptcp(udp), std::unexpected(Unchangeable::kNotTcp));
  EXPECT_EQ(strip_mptcp(tunnel), std::unexpected(Unchangeable::kTunnel));
  EXPECT_EQ(strip_mptcp(cut), std::unexpected(Unchangeable::kMalformed));
  EXPECT_EQ(strip_mptcp(short_header), std::unexpected(Unchangeable::kMalformed));
  EXPECT_FALSE(strip_mptcp(nothing).has_value());
}

TEST(StripMptcp, AnyOctetMayBeAnything) {
  for (const Octets& whole : in_every_header(kTimestamps + kDss + kAddAddr + kCapableSyn))
    for (std::size_t at = 0; at < whole.size(); ++at)
      for (const unsigned value : {0U, 1U, 2U, 0x1eU, 0x7fU, 0xffU}) {
        Octets packet = whole;
        sample::set8(packet, at, value);
        EXPECT_LE(strip_mptcp(packet).value_or(0), 10U);
        EXPECT_EQ(packet.size(), whole.size());
        packet.resize(at);
        EXPECT_FALSE(strip_mptcp(packet).has_value());
      }
}

TEST(StripMptcp, ATrailerBehindThePacketIsLeftAlone) {
  Octets packet = sample::ip_tcp({.options = kCapableSyn}) + hex("a5a5a5");
  EXPECT_EQ(strip_mptcp(packet), 1U);
  EXPECT_EQ(Octets(packet.end() - 3, packet.end()), hex("a5a5a5"));
  expect_whole(packet);
}

}  // namespace
}  // namespace weir::rewrite
