// The IPv6 header (RFC 8200 §3) and its extension headers up to the transport or to a fragment.
#include "wire/ipv6_extensions.h"
#include "wire/unwrap.h"

namespace weir::wire {
namespace {

constexpr std::uint8_t kPad1 = 0;
constexpr std::uint8_t kJumboOption = 0xc2;
constexpr std::uint32_t kLongestPayloadField = 65535;

/// The jumbo payload option (RFC 2675 §2) of a hop-by-hop header, or nullopt. Linux writes one for BIG TCP.
std::optional<std::uint32_t> jumbo_length(Bytes hop_by_hop) {
  ByteReader in(hop_by_hop);
  in.skip(2);
  while (in.remaining() > 0) {
    const std::uint8_t type = in.u8();
    if (type == kPad1) continue;
    const std::uint8_t length = in.u8();
    if (type == kJumboOption && length == 4) {
      const std::uint32_t jumbo = in.u32();
      return in.ok() ? std::optional(jumbo) : std::nullopt;
    }
    in.skip(length);
  }
  return std::nullopt;
}

/// The last stop of a source route that is not done yet. The pseudo-header has it as the destination (RFC 8200 §8.1), and so
/// a connection has one pair of addresses at every hop.
void apply_routing(Bytes routing, IpAddress& dst) {
  ByteReader in(routing);
  in.skip(2);
  const std::uint8_t type = in.u8();
  const std::uint8_t segments_left = in.u8();
  in.skip(4);
  if (!in.ok() || segments_left == 0) return;
  switch (type) {
    case 0: {  // RFC 2460 §4.4: a list in order of visit
      const std::size_t addresses = in.remaining() / 16;
      if (addresses == 0) return;
      in.skip((addresses - 1) * 16);
      break;
    }
    case 2:  // RFC 6275 §6.4: the home address
    case 4:  // RFC 8754 §2: the list is in reverse
      break;
    default:
      return;
  }
  if (const auto last = in.take<16>()) dst = IpAddress::v6(*last);
}

}  // namespace

Layer ipv6(Unwrap& u) {
  const auto fields = fixed<kIpv6Header>(u.bytes);
  if (!fields) return u.fail(DecodeError::kIpv6Truncated);
  if (u8_at<0>(*fields) >> 4U != 6) return u.fail(DecodeError::kIpv6BadVersion);
  const std::uint32_t room = u.wire_bytes - static_cast<std::uint32_t>(kIpv6Header);
  std::uint32_t payload = u16_at<4>(*fields);
  std::uint8_t next = u8_at<6>(*fields);

  std::optional<std::uint32_t> jumbo;
  if (next == kHopByHop) [[unlikely]] {
    ByteReader in(u.bytes.subspan(kIpv6Header));
    std::uint8_t ignored = next;
    jumbo = jumbo_length(take_extension(in, ignored));
  }
  if (jumbo) {
    // RFC 2675 §3: an error, and the packet is discarded.
    if (payload != 0 || *jumbo <= kLongestPayloadField) return u.fail(DecodeError::kIpv6ExtensionTruncated);
    payload = *jumbo;
  } else if (payload == 0 && room + kIpv6Header > kLongestOrdinaryIp) {
    payload = room;
  }
  if (payload > room) return u.fail(DecodeError::kIpv6Truncated);

  Decoded& out = u.out;
  u.cut(payload + static_cast<std::uint32_t>(kIpv6Header));
  out.ip_version = 6;
  out.ttl = u8_at<7>(*fields);
  out.ip_id = 0;
  out.src.set_v6((*fields).subspan<8, 16>());
  out.dst.set_v6((*fields).subspan<24, 16>());
  out.ip = u.bytes;
  out.ip_bytes = u.wire_bytes;
  u.prove_tunnel();

  ByteReader in(u.bytes.subspan(kIpv6Header));
  const auto offset = [&] { return u.bytes.size() - in.remaining(); };
  std::size_t named_at = 6;  // where the octet stands that names `next`
  for (bool first = true;; first = false) {
    // RFC 8200 §4.1: hop-by-hop options come right after the header or not at all; elsewhere it is an unknown next header.
    if (is_extension(next) && (next != kHopByHop || first)) {
      const std::uint8_t kind = next;
      const std::size_t at = offset();
      const Bytes extension = take_extension(in, next);
      if (!in.ok()) return u.fail(DecodeError::kIpv6ExtensionTruncated);
      if (kind == kRouting) apply_routing(extension, out.dst);
      named_at = at;
    } else if (next == kFragmentHeader) {
      const std::size_t at = offset();
      const auto header = in.take<kIpv6FragmentHeader>();
      if (!header) return u.fail(DecodeError::kIpv6ExtensionTruncated);
      next = u8_at<0>(*header);
      const std::uint16_t field = u16_at<2>(*header);
      const bool more = field & 1U;
      const std::uint32_t from = field & 0xfff8U;
      if (from != 0 || more) {
        out.protocol = next;
        out.fragment = FragmentInfo{
            .id = u32_at<4>(*header),
            .offset_bytes = from,
            .more = more,
            .protocol = next,
            .payload = in.rest(),
            .payload_bytes = out.ip_bytes - static_cast<std::uint32_t>(offset()),
            .header = out.ip.first(at),
            .next_header_offset = static_cast<std::uint32_t>(named_at),
        };
        return u.done(Kind::kFragment);
      }
      // RFC 6946 §4: an atomic fragment is a whole packet.
      named_at = at;
    } else {
      break;
    }
  }
  out.protocol = next;
  u.skip(offset());
  return Layer::kTransport;
}

}  // namespace weir::wire
