// GRE (RFC 2784, RFC 2890; the routing field of RFC 1701), its version 1 as PPTP uses it (RFC 2637), and ERSPAN.
#include "wire/unwrap.h"

namespace weir::wire {
namespace {

constexpr std::uint16_t kChecksum = 0x8000;
constexpr std::uint16_t kRouting = 0x4000;
constexpr std::uint16_t kKey = 0x2000;
constexpr std::uint16_t kSequence = 0x1000;
constexpr std::uint16_t kAcknowledgment = 0x0080;
constexpr std::uint16_t kVersion = 0x0007;

constexpr std::uint16_t kPpp = 0x880b;
constexpr std::uint16_t kErspan = 0x88be;
constexpr std::uint16_t kErspanThree = 0x22eb;

/// RFC 1701, "Routing": source route entries up to one with family 0 and length 0.
void skip_source_routes(ByteReader& in) {
  while (in.ok()) {
    const std::uint16_t family = in.u16();
    in.skip(1);
    const std::uint8_t length = in.u8();
    if (family == 0 && length == 0) return;
    in.skip(length);
  }
}

Layer pptp(Unwrap& u, std::uint16_t flags, std::uint16_t protocol) {
  ByteReader in(u.bytes);
  in.skip(4);
  // RFC 2637 §4.1: the key is always there, and is the payload's length and the call ID of the side that receives.
  const std::uint16_t length = in.u16();
  const std::uint16_t call = in.u16();
  if (flags & kSequence) in.skip(4);
  if (flags & kAcknowledgment) in.skip(4);
  if (!in.ok()) return u.fail(DecodeError::kGreTruncated);
  if (protocol != kPpp || !(flags & kKey)) return u.fail(DecodeError::kGreBadVersion);
  u.skip(u.bytes.size() - in.remaining());
  if (!(flags & kSequence) || length == 0) return u.done(Kind::kOtherIp);  // an acknowledgment alone
  if (length > u.wire_bytes) return u.fail(DecodeError::kGreTruncated);
  u.cut(length);
  u.enter_tunnel(TunnelKind::kPptp, call, /*by_direction=*/true);
  return Layer::kPpp;
}

}  // namespace

Layer gre(Unwrap& u) {
  ByteReader in(u.bytes);
  const std::uint16_t flags = in.u16();
  const std::uint16_t protocol = in.u16();
  if (!in.ok()) return u.fail(DecodeError::kGreTruncated);
  if ((flags & kVersion) == 1) return pptp(u, flags, protocol);
  if ((flags & kVersion) != 0) return u.fail(DecodeError::kGreBadVersion);
  if (flags & (kChecksum | kRouting)) in.skip(4);
  const std::uint32_t key = flags & kKey ? in.u32() : 0;
  if (flags & kSequence) in.skip(4);
  if (flags & kRouting) skip_source_routes(in);
  if (!in.ok()) return u.fail(DecodeError::kGreTruncated);
  u.skip(u.bytes.size() - in.remaining());

  // A key of 0 is another tunnel than none.
  u.enter_tunnel(TunnelKind::kGre, flags & kKey ? std::uint64_t{1} << 32U | key : 0);
  switch (protocol) {
    case kErspan:
      // Type I has neither a sequence number nor a header of its own.
      return flags & kSequence ? Layer::kErspan2 : Layer::kEthernet;
    case kErspanThree:
      return Layer::kErspan3;
    case kPpp:
      return Layer::kPpp;
    default:
      return by_ether_type(u, protocol);
  }
}

Layer erspan2(Unwrap& u) {
  if (!u.skip(8)) return u.fail(DecodeError::kGreTruncated);
  return Layer::kEthernet;
}

Layer erspan3(Unwrap& u) {
  const auto header = u.take<12>();
  if (!header) return u.fail(DecodeError::kGreTruncated);
  constexpr std::uint8_t kPlatformHeader = 0x01;  // O
  if (u8_at<11>(*header) & kPlatformHeader && !u.skip(8)) return u.fail(DecodeError::kGreTruncated);
  return Layer::kEthernet;
}

}  // namespace weir::wire
