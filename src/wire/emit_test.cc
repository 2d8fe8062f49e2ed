#include "wire/emit.h"

#include <gtest/gtest.h>

#include "wire/decode.h"
#include "wire/sample_packets.h"

namespace weir::wire {
namespace {

using sample::hex;
using sample::Octets;

Decoded decoded(const Octets& packet) {
  Decoded out;
  decode_ip(packet, static_cast<std::uint32_t>(packet.size()), 0, 0, out);
  return out;
}

TEST(EmitTcpPacket, ComesBackAsItWent) {
  for (const bool ipv6 : {false, true})
    for (const std::size_t payload_bytes : {0U, 1U, 2U, 1447U, 65000U}) {
      const Octets options = hex("0101080a0000000100000002");
      const Octets payload(payload_bytes, std::byte{0xa5});
      EmitTcp header{.src = ipv6 ? sample::v6(1) : sample::v4(1), .dst = ipv6 ? sample::v6(2) : sample::v4(2), .src_port = 1, .dst_port = 65535};
      header.seq = SeqNum{0xfffffff0};
      header.ack = SeqNum{7};
      header.flags = TcpFlags{0x12};
      header.window = 65535;
      header.ttl = 3;
      header.ip_id = 0xbeef;
      header.options = options;
      Octets packet;
      emit_tcp_packet(header, payload, packet);
      const Decoded out = decoded(packet);
      ASSERT_EQ(out.kind, Kind::kTcp);
      EXPECT_EQ(check_tcp_checksum(out), ChecksumState::kRight);
      EXPECT_EQ(out.src, header.src);
      EXPECT_EQ(out.dst, header.dst);
      EXPECT_EQ(out.ttl, 3);
      EXPECT_EQ(out.ip_id, ipv6 ? 0 : 0xbeef);
      EXPECT_EQ(out.tcp.src_port, 1);
      EXPECT_EQ(out.tcp.dst_port, 65535);
      EXPECT_EQ(out.tcp.seq, header.seq);
      EXPECT_EQ(out.tcp.ack, header.ack);
      EXPECT_EQ(out.tcp.flags.bits, 0x12);
      EXPECT_EQ(out.tcp.window, 65535);
      EXPECT_TRUE(std::ranges::equal(out.tcp.options, options));
      EXPECT_TRUE(std::ranges::equal(out.tcp.payload, payload));
    }
}

TEST(EmitTcpPacket, RefusesWhatDoesNotFit) {
  Octets packet = hex("00");
  const EmitTcp v4{.src = sample::v4(1), .dst = sample::v4(2)};
  const EmitTcp v6{.src = sample::v6(1), .dst = sample::v6(2)};
  emit_tcp_packet(v4, Octets(65535 - 40), packet);
  EXPECT_EQ(packet.size(), 65535U);
  EXPECT_EQ(check_tcp_checksum(decoded(packet)), ChecksumState::kRight);
  emit_tcp_packet(v4, Octets(65535 - 39), packet);
  EXPECT_TRUE(packet.empty());
  emit_tcp_packet(v6, Octets(65535 - 60), packet);
  EXPECT_EQ(packet.size(), 65535U);
  emit_tcp_packet(v6, Octets(65535 - 59), packet);
  EXPECT_TRUE(packet.empty());
  for (const std::size_t octets : {1U, 3U, 44U}) {
    const Octets options(octets, std::byte{1});
    EmitTcp header = v4;
    header.options = options;
    emit_tcp_packet(header, {}, packet);
    EXPECT_TRUE(packet.empty()) << octets;
  }
}

TEST(EmitTcpPacket, AddressesOfTwoFamiliesGoAsIpv6) {
  Octets packet;
  emit_tcp_packet({.src = sample::v4(1), .dst = sample::v6(2)}, {}, packet);
  const Decoded out = decoded(packet);
  ASSERT_EQ(out.kind, Kind::kTcp);
  EXPECT_EQ(out.ip_version, 6);
  EXPECT_EQ(check_tcp_checksum(out), ChecksumState::kRight);
}

}  // namespace
}  // namespace weir::wire
