#include "wire/emit.h"

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/ip_protocol.h"
#include "wire/ipv4.h"
#include "wire/ipv6_extensions.h"
#include "wire/tcp_parse.h"

namespace weir::wire {
namespace {

constexpr std::size_t kOptionSpace = 40;
constexpr std::size_t kLongestPacket = 65535;
constexpr std::uint16_t kDontFragment = 0x4000;

void write_ipv4(const EmitTcp& header, std::span<std::byte> packet) {
  ByteWriter out(packet);
  out.u8(0x45);
  out.u8(0);
  out.u16(static_cast<std::uint16_t>(packet.size()));
  out.u16(header.ip_id);
  out.u16(kDontFragment);
  out.u8(header.ttl);
  out.u8(kTcp);
  out.u16(0);
  out.bytes(std::as_bytes(header.src.wire()));
  out.bytes(std::as_bytes(header.dst.wire()));
  ByteWriter(packet.subspan(10)).u16(ipv4_header_checksum(packet.first(kIpv4Header)));
}

void write_ipv6(const EmitTcp& header, std::span<std::byte> packet) {
  ByteWriter out(packet);
  out.u32(0x60000000);
  out.u16(static_cast<std::uint16_t>(packet.size() - kIpv6Header));
  out.u8(kTcp);
  out.u8(header.ttl);
  out.bytes(std::as_bytes(std::span(header.src.octets)));
  out.bytes(std::as_bytes(std::span(header.dst.octets)));
}

void write_tcp(const EmitTcp& header, Bytes payload, std::span<std::byte> segment) {
  ByteWriter out(segment);
  out.u16(header.src_port);
  out.u16(header.dst_port);
  out.u32(header.seq.value);
  out.u32(header.ack.value);
  out.u8(static_cast<std::uint8_t>((kTcpHeader + header.options.size()) / 4 << 4U));
  out.u8(header.flags.bits);
  out.u16(header.window);
  out.u32(0);  // checksum, urgent pointer
  out.bytes(header.options);
  out.bytes(payload);
  ChecksumSum sum;
  sum.append(pseudo_header_sum(header.src, header.dst, kTcp, static_cast<std::uint32_t>(segment.size())), 2);
  sum.add(segment);
  ByteWriter(segment.subspan(16)).u16(sum.checksum());
}

}  // namespace

void emit_tcp_packet(const EmitTcp& header, std::span<const std::byte> payload, std::vector<std::byte>& out) {
  out.clear();
  // A packet has one family: two addresses of different ones go as IPv6, IPv4 in its mapped form.
  const bool v4 = header.src.is_v4() && header.dst.is_v4();
  const std::size_t ip_bytes = v4 ? kIpv4Header : kIpv6Header;
  const std::size_t headers = ip_bytes + kTcpHeader + header.options.size();
  if (header.options.size() > kOptionSpace || header.options.size() % 4 != 0 || payload.size() > kLongestPacket - headers) return;
  out.resize(headers + payload.size());
  const std::span<std::byte> packet(out);
  if (v4) {
    write_ipv4(header, packet);
  } else {
    write_ipv6(header, packet);
  }
  write_tcp(header, payload, packet.subspan(ip_bytes));
}

}  // namespace weir::wire
