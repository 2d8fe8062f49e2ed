// Tunnels over UDP, told by their ports: VXLAN (RFC 7348), GENEVE (RFC 8926), GTP-U (3GPP TS 29.281). Anyone may send anything
// to these ports, so that whatever does not look right is an ordinary UDP packet.
#include "wire/unwrap.h"

namespace weir::wire {
namespace {

constexpr std::uint16_t kVxlanPort = 4789;
constexpr std::uint16_t kVxlanLinuxPort = 8472;
constexpr std::uint16_t kGenevePort = 6081;
constexpr std::uint16_t kGtpPort = 2152;

Layer vxlan(Unwrap& u) {
  const auto header = u.take<8>();
  if (!header) return u.fail(DecodeError::kVxlanTruncated);
  // RFC 7348 §5: I set; the other bits are ignored on receipt (the group policy extension uses some).
  constexpr std::uint8_t kFlagI = 0x08;
  if (!(u8_at<0>(*header) & kFlagI)) return u.fail(DecodeError::kVxlanTruncated);
  u.enter_tunnel(TunnelKind::kVxlan, u32_at<4>(*header) >> 8U);
  return Layer::kEthernet;
}

Layer geneve(Unwrap& u) {
  const auto header = u.take<8>();
  if (!header) return u.fail(DecodeError::kGeneveTruncated);
  // RFC 8926 §3.4: version 0, and options in units of 4 octets.
  const std::uint8_t first = u8_at<0>(*header);
  if (first >> 6U != 0 || !u.skip((first & 0x3fU) * std::size_t{4})) return u.fail(DecodeError::kGeneveTruncated);
  u.enter_tunnel(TunnelKind::kGeneve, u32_at<4>(*header) >> 8U);
  return by_ether_type(u, u16_at<2>(*header));
}

Layer gtp(Unwrap& u) {
  const auto header = u.take<8>();
  if (!header) return u.fail(DecodeError::kGtpTruncated);
  // TS 29.281 §5.1: version 1, protocol type GTP, message type G-PDU.
  constexpr std::uint8_t kVersionAndType = 0x30;
  constexpr std::uint8_t kGpdu = 0xff;
  constexpr std::uint8_t kOptionalFields = 0x07;  // E, S, PN: if any is set, all three fields are there
  constexpr std::uint8_t kExtension = 0x04;       // E
  const std::uint8_t flags = u8_at<0>(*header);
  const std::uint16_t length = u16_at<2>(*header);
  if ((flags & 0xf0U) != kVersionAndType || u8_at<1>(*header) != kGpdu || length > u.wire_bytes) return u.fail(DecodeError::kGtpTruncated);
  u.cut(length);
  ByteReader in(u.bytes);
  if (flags & kOptionalFields) {
    in.skip(3);
    std::uint8_t next = in.u8();
    if (!(flags & kExtension)) next = 0;
    // TS 29.281 §5.2: length in units of 4 octets, its own octet and that of the next type included; 0 is not allowed.
    while (in.ok() && next != 0) {
      const std::size_t units = in.u8();
      if (units == 0) return u.fail(DecodeError::kGtpTruncated);
      in.skip(units * 4 - 2);
      next = in.u8();
    }
  }
  if (!in.ok()) return u.fail(DecodeError::kGtpTruncated);
  u.skip(u.bytes.size() - in.remaining());
  u.enter_tunnel(TunnelKind::kGtp, u32_at<4>(*header), /*by_direction=*/true);
  return Layer::kIp;
}

}  // namespace

Layer udp(Unwrap& u) {
  const auto header = fixed<8>(u.bytes);
  if (!header) return u.done(Kind::kOtherIp);
  const std::uint16_t port = u16_at<2>(*header);
  std::uint32_t length = u16_at<4>(*header);
  if (port != kVxlanPort && port != kVxlanLinuxPort && port != kGenevePort && port != kGtpPort) {
    if (length >= 8 && length <= u.wire_bytes) u.out.udp = {u16_at<0>(*header), port, u.bytes.first(std::min<std::size_t>(u.bytes.size(), length)).subspan(8)};
    return u.done(Kind::kOtherIp);
  }
  if (length == 0 && u.wire_bytes > kLongestOrdinaryIp) length = u.wire_bytes;
  if (length < 8 || length > u.wire_bytes) return u.done(Kind::kOtherIp);
  u.cut(length);
  u.skip(8);
  u.told_by_port = true;
  switch (port) {
    case kGenevePort:
      return geneve(u);
    case kGtpPort:
      return gtp(u);
    default:
      return vxlan(u);
  }
}

}  // namespace weir::wire
