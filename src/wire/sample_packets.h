// Packets built layer by layer, from the inside out, for tests, benchmarks and fuzzing corpora. Right in every field, so that a
// test breaks the one that it is about.
#pragma once

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/emit.h"

namespace weir::wire::sample {

using Octets = std::vector<std::byte>;

/// Octets written in hexadecimal; blanks are for the reader.
inline Octets hex(std::string_view text) {
  Octets out;
  unsigned value = 0;
  bool half = false;
  for (const char c : text) {
    if (c == ' ') continue;
    unsigned digit = 0;
    std::from_chars(&c, &c + 1, digit, 16);
    value = value << 4U | digit;
    if (half) out.push_back(static_cast<std::byte>(value & 0xffU));
    half = !half;
  }
  return out;
}

inline Octets operator+(Octets front, const Octets& back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

/// A number of `octets` octets.
inline Octets number(std::uint64_t value, std::size_t octets) {
  Octets out(octets);
  for (std::size_t i = octets; i-- > 0; value >>= 8U) out[i] = static_cast<std::byte>(value & 0xffU);
  return out;
}

inline void set16(Octets& packet, std::size_t at, std::size_t value) { ByteWriter(std::span(packet).subspan(at)).u16(static_cast<std::uint16_t>(value)); }
inline void set8(Octets& packet, std::size_t at, std::size_t value) { packet.at(at) = static_cast<std::byte>(value); }

inline IpAddress v4(std::uint32_t value) { return IpAddress::v4(Fixed<4>(number(value, 4))); }
inline IpAddress v6(std::uint64_t low) { return IpAddress::v6(Fixed<16>(number(0x20010db800000000, 8) + number(low, 8))); }

inline Octets text(std::string_view value) {
  const auto octets = std::as_bytes(std::span(value));
  return {octets.begin(), octets.end()};
}

struct Tcp {
  IpAddress src = v4(0x0a000001), dst = v4(0x0a000002);
  std::uint16_t src_port = 40000, dst_port = 80;
  std::uint8_t flags = 0x18;
  Octets options{};
  Octets payload = text("hello, weir");
};

inline Octets ip_tcp(const Tcp& tcp = {}) {
  Octets out;
  emit_tcp_packet({.src = tcp.src,
                   .dst = tcp.dst,
                   .src_port = tcp.src_port,
                   .dst_port = tcp.dst_port,
                   .seq = SeqNum{1000},
                   .ack = SeqNum{2000},
                   .flags = TcpFlags{tcp.flags},
                   .window = 501,
                   .ttl = 61,
                   .ip_id = 77,
                   .options = tcp.options},
                  tcp.payload, out);
  return out;
}
inline Octets ip6_tcp() { return ip_tcp({.src = v6(1), .dst = v6(2)}); }

/// Writes the header's checksum anew, after a test has changed a field.
inline void fix_ipv4(Octets& packet) {
  const std::size_t header = (std::to_integer<std::size_t>(packet.at(0)) & 0x0fU) * 4;
  set16(packet, 10, ipv4_header_checksum(std::span(packet).first(header)));
}

inline Octets ipv4(std::uint8_t protocol, const Octets& payload, std::uint32_t src = 0xc0000201, std::uint32_t dst = 0xc0000202) {
  Octets out = hex("45000000 004d4000 40000000") + number(src, 4) + number(dst, 4) + payload;
  set16(out, 2, out.size());
  set8(out, 9, protocol);
  fix_ipv4(out);
  return out;
}
inline Octets ipv6(std::uint8_t next, const Octets& payload, const IpAddress& src = v6(0x11), const IpAddress& dst = v6(0x12)) {
  const auto octets = [](const IpAddress& address) {
    const auto span = std::as_bytes(std::span(address.octets));
    return Octets(span.begin(), span.end());
  };
  return hex("60000000") + number(payload.size(), 2) + number(next, 1) + number(64, 1) + octets(src) + octets(dst) + payload;
}
/// The same with whatever stands in an IPv6 packet after its header, to put extension headers before it.
inline Octets after_ipv6_header(const Octets& packet) { return {packet.begin() + 40, packet.end()}; }
inline Octets after_ipv4_header(const Octets& packet) { return {packet.begin() + 20, packet.end()}; }

inline Octets ethernet(std::uint16_t type, const Octets& payload) { return hex("020000000002 020000000001") + number(type, 2) + payload; }
inline Octets vlan(std::uint16_t id, std::uint16_t type, const Octets& payload) { return number(id, 2) + number(type, 2) + payload; }
inline Octets mpls(std::initializer_list<std::uint32_t> labels, const Octets& payload) {
  Octets out;
  std::size_t left = labels.size();
  for (const std::uint32_t label : labels) out = out + number(label << 12U | (--left == 0 ? 0x100U : 0U) | 64U, 4);
  return out + payload;
}
inline Octets ppp(std::uint16_t protocol, const Octets& payload) { return number(protocol, 2) + payload; }
inline Octets pppoe(const Octets& payload) { return hex("1100 0007") + number(payload.size(), 2) + payload; }
inline Octets cooked(std::uint16_t protocol, const Octets& payload) { return hex("0000 0001 0006 020000000001 0000") + number(protocol, 2) + payload; }
inline Octets cooked2(std::uint16_t protocol, const Octets& payload) {
  return number(protocol, 2) + hex("0000 00000003 0001 00 06 020000000001 0000") + payload;
}

inline Octets udp(std::uint16_t port, const Octets& payload) { return hex("c000") + number(port, 2) + number(payload.size() + 8, 2) + hex("0000") + payload; }
inline Octets vxlan(std::uint32_t vni, const Octets& frame, std::uint16_t port = 4789) {
  return udp(port, hex("08000000") + number(vni, 3) + hex("00") + frame);
}
inline Octets geneve(std::uint32_t vni, std::uint16_t type, const Octets& options, const Octets& payload) {
  return udp(6081, number(options.size() / 4, 1) + hex("00") + number(type, 2) + number(vni, 3) + hex("00") + options + payload);
}
/// `fields`: what stands between the TEID and the payload, announced by `flags`.
inline Octets gtp(std::uint32_t teid, const Octets& payload, std::uint8_t flags = 0x30, const Octets& fields = {}) {
  return udp(2152, number(flags, 1) + hex("ff") + number(fields.size() + payload.size(), 2) + number(teid, 4) + fields + payload);
}
/// `fields`: the optional ones that `flags` announces.
inline Octets gre(std::uint16_t flags, std::uint16_t protocol, const Octets& fields, const Octets& payload) {
  return number(flags, 2) + number(protocol, 2) + fields + payload;
}

}  // namespace weir::wire::sample
