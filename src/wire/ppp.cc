// PPP (RFC 1661), its HDLC framing (RFC 1662), Cisco's own, and PPP over Ethernet (RFC 2516).
#include "wire/unwrap.h"

namespace weir::wire {
namespace {

constexpr std::uint16_t kAllStationsUnnumbered = 0xff03;  // RFC 1662 §3.1
constexpr std::uint16_t kCiscoUnicast = 0x0f00;
constexpr std::uint16_t kCiscoMulticast = 0x8f00;

}  // namespace

Layer pppoe(Unwrap& u) {
  const auto header = u.take<6>();
  if (!header) return u.fail(DecodeError::kPppoeTruncated);
  // RFC 2516 §4: version 1, type 1; code 0 is session data.
  if (u8_at<0>(*header) != 0x11 || u8_at<1>(*header) != 0) return u.done(Kind::kNotIp);
  const std::uint16_t length = u16_at<4>(*header);
  if (length > u.wire_bytes) return u.fail(DecodeError::kPppoeTruncated);
  u.cut(length);
  return Layer::kPpp;
}

Layer ppp(Unwrap& u) {
  if (const auto framing = fixed<2>(u.bytes); framing && u16_at<0>(*framing) == kAllStationsUnnumbered) u.skip(2);
  ByteReader in(u.bytes);
  std::uint16_t protocol = in.u8();
  // RFC 1661 §2 and §6.5: the last octet of the field is odd, and a compressed field is that octet alone.
  const bool compressed = protocol & 1U;
  if (!compressed) protocol = static_cast<std::uint16_t>(protocol << 8U | in.u8());
  if (!in.ok()) return u.fail(DecodeError::kPppTruncated);
  u.skip(compressed ? 1 : 2);
  switch (protocol) {
    case 0x0021:
      return Layer::kIpv4;
    case 0x0057:
      return Layer::kIpv6;
    case 0x0281:
    case 0x0283:
      return Layer::kMpls;
    default:
      return u.done(Kind::kNotIp);
  }
}

Layer ppp_hdlc(Unwrap& u) {
  const auto header = fixed<4>(u.bytes);
  if (header && (u16_at<0>(*header) == kCiscoUnicast || u16_at<0>(*header) == kCiscoMulticast)) {
    u.skip(4);
    return by_ether_type(u, u16_at<2>(*header));
  }
  return Layer::kPpp;
}

}  // namespace weir::wire
