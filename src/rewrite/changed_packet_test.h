// What tests of changed packets share: a packet's options and its checksum, read back by the decoder.
#pragma once

#include <gtest/gtest.h>

#include "rewrite/option_space.h"
#include "wire/decode.h"
#include "wire/mptcp/parse.h"
#include "wire/sample_packets.h"

namespace weir::rewrite {

using wire::sample::hex;
using wire::sample::Octets;
using wire::sample::operator+;

inline wire::Decoded read_back(const Octets& packet) {
  wire::Decoded decoded;
  wire::decode_ip(packet, static_cast<std::uint32_t>(packet.size()), 0, 0, decoded);
  return decoded;
}

/// A packet that the next host takes: it decodes, and both checksums are right.
inline void expect_whole(const Octets& packet) {
  const wire::Decoded decoded = read_back(packet);
  ASSERT_EQ(decoded.kind, wire::Kind::kTcp);
  EXPECT_EQ(wire::check_tcp_checksum(decoded), wire::ChecksumState::kRight);
  EXPECT_FALSE(decoded.tcp.options_broken);
}

inline std::vector<wire::mptcp::Option> mptcp_options(const Octets& packet) {
  const wire::Decoded decoded = read_back(packet);
  std::vector<wire::mptcp::Option> found;
  wire::OptionWalker walker(decoded.tcp.options);
  while (const auto bytes = walker.next(wire::mptcp::kOptionKind))
    if (const auto option = wire::mptcp::parse_option(*bytes)) found.push_back(*option);
  return found;
}

inline std::size_t mptcp_count(const Octets& packet) { return mptcp_options(packet).size(); }

/// The same segment in IPv4, in IPv4 with options, in IPv6, in IPv6 with extension headers and as an atomic fragment.
inline std::vector<Octets> in_every_header(const Octets& options, const Octets& payload = wire::sample::text("hello")) {
  namespace sample = wire::sample;
  const Octets v4 = sample::ip_tcp({.options = options, .payload = payload});
  const Octets v6 = sample::ip_tcp({.src = sample::v6(0x11), .dst = sample::v6(0x12), .options = options, .payload = payload});
  Octets v4_options = Octets(v4.begin(), v4.begin() + 20) + hex("01010101 01010100") + sample::after_ipv4_header(v4);
  sample::set8(v4_options, 0, 0x47);
  sample::set16(v4_options, 2, v4_options.size());
  sample::fix_ipv4(v4_options);
  const Octets segment6 = sample::after_ipv6_header(v6);
  return {v4, v4_options, v6, sample::ipv6(0, hex("3c000104 00000000 06000104 00000000") + segment6), sample::ipv6(44, hex("06000000 00000007") + segment6)};
}

}  // namespace weir::rewrite
