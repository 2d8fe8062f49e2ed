#include "wire/decode.h"

#include "wire/checksum.h"
#include "wire/ip_protocol.h"
#include "wire/ipv4.h"
#include "wire/tcp_parse.h"
#include "wire/unwrap.h"

namespace weir::wire {
namespace {

Layer tcp(Unwrap& u) {
  const DecodeError error = parse_tcp(u.bytes, u.wire_bytes, u.out.tcp);
  if (error != DecodeError::kNone) [[unlikely]]
    return u.fail(error);
  return u.done(Kind::kTcp);
}

Layer transport(Unwrap& u) {
  switch (u.out.protocol) {
    case kTcp:
      return tcp(u);
    case kUdp:
      return udp(u);
    case kIpv4InIp:
      u.enter_tunnel(TunnelKind::kIpInIp, 0);
      return Layer::kIpv4;
    case kIpv6InIp:
      u.enter_tunnel(TunnelKind::kIpInIp, 0);
      return Layer::kIpv6;
    case kGre:
      return gre(u);
    case kMplsInIp:  // RFC 4023 §3.1
      u.enter_tunnel(TunnelKind::kMpls, 0);
      return Layer::kMpls;
    case kEtherIp:  // RFC 3378 §3: version 3, and 12 bits of 0
      if (const auto header = u.take<2>(); header && u16_at<0>(*header) == 0x3000) {
        u.enter_tunnel(TunnelKind::kEtherIp, 0);
        return Layer::kEthernet;
      }
      return u.done(Kind::kOtherIp);
    default:
      return u.done(Kind::kOtherIp);
  }
}

Layer ip_by_version(Unwrap& u) {
  ByteReader in(u.bytes);
  const unsigned version = in.u8() >> 4U;
  if (!in.ok()) return u.fail(DecodeError::kLinkTruncated);
  if (version == 6) return Layer::kIpv6;
  return Layer::kIpv4;
}

Layer step(Unwrap& u, Layer layer) {
  switch (layer) {
    case Layer::kDone:
      return Layer::kDone;
    case Layer::kEthernet:
      return ethernet(u);
    case Layer::kVlan:
      return vlan(u);
    case Layer::kMpls:
      return mpls(u);
    case Layer::kPppoe:
      return pppoe(u);
    case Layer::kPpp:
      return ppp(u);
    case Layer::kPppHdlc:
      return ppp_hdlc(u);
    case Layer::kCooked:
      return cooked(u);
    case Layer::kCooked2:
      return cooked2(u);
    case Layer::kLoopback:
      return loopback(u);
    case Layer::kErspan2:
      return erspan2(u);
    case Layer::kErspan3:
      return erspan3(u);
    case Layer::kIp:
      return ip_by_version(u);
    case Layer::kIpv4:
      return ipv4(u);
    case Layer::kIpv6:
      return ipv6(u);
    case Layer::kTransport:
      return transport(u);
  }
  return u.fail(DecodeError::kLinkUnsupported);
}

void unwrap(Unwrap& u, Layer layer) {
  for (int layers = 0; layer != Layer::kDone; ++layers) {
    if (layers == kMaxLayers) {
      u.fail(DecodeError::kTooManyLayers);
      return;
    }
    layer = step(u, layer);
  }
  const bool no_tunnel_after_all = u.out.kind == Kind::kBad && u.told_by_port && u.out.error != DecodeError::kTooManyLayers;
  if (u.outer && (no_tunnel_after_all || u.out.kind == Kind::kNotIp)) {
    u.leave_tunnel();
  } else if (no_tunnel_after_all) {
    // Not even the tunnel's own header was right: `out` still is the packet that carries it.
    u.out.kind = Kind::kOtherIp;
    u.out.error = DecodeError::kNone;
  }
}

/// What a reader may look at whatever the packet is.
void reset(Decoded& out) {
  out.error = DecodeError::kNone;
  out.ip_version = 0;
  out.protocol = 0;
  out.ip = {};
  out.ip_bytes = 0;
  out.tunnel = 0;
  out.tunnel_pair = 0;
  out.udp.payload = {};
}

std::optional<Layer> by_link(LinkType link) {
  switch (link) {
    case LinkType::kEthernet:
      return Layer::kEthernet;
    case LinkType::kNull:
    case LinkType::kLoop:
      return Layer::kLoopback;
    case LinkType::kPpp:
      return Layer::kPpp;
    case LinkType::kPppHdlc:
      return Layer::kPppHdlc;
    case LinkType::kPppEther:
      return Layer::kPppoe;
    case LinkType::kRaw:
      return Layer::kIp;
    case LinkType::kIpv4:
      return Layer::kIpv4;
    case LinkType::kIpv6:
      return Layer::kIpv6;
    case LinkType::kLinuxSll:
      return Layer::kCooked;
    case LinkType::kLinuxSll2:
      return Layer::kCooked2;
    case LinkType::kUnsupported:
      break;
  }
  return std::nullopt;
}

constexpr std::uint32_t kEthernetHeader = 14;

/// Ethernet, IPv4 without fragmentation, TCP: nearly every packet there is.
bool is_plain(LinkType link, Bytes bytes) {
  if (link != LinkType::kEthernet) return false;
  const auto start = fixed<kEthernetHeader + kIpv4Header>(bytes);
  return start && u16_at<12>(*start) == 0x0800 && (u16_at<kEthernetHeader + 6>(*start) & (kIpv4MoreFragments | kIpv4FragmentOffset)) == 0 &&
         u8_at<kEthernetHeader + 9>(*start) == kTcp;
}

/// The same as unwrap() does with such a packet, without a choice at each layer.
void decode_plain(Bytes ip, std::uint32_t wire_bytes, Decoded& out) {
  Ipv4Lengths lengths;
  DecodeError error = check_ipv4(ip, wire_bytes, lengths);
  if (error == DecodeError::kNone) [[likely]] {
    const Bytes packet = ip.first(std::min<std::size_t>(ip.size(), lengths.total));
    tell_ipv4(packet, lengths.total, out);
    error = parse_tcp(packet.subspan(lengths.header), lengths.total - lengths.header, out.tcp);
  }
  out.error = error;
  out.kind = error == DecodeError::kNone ? Kind::kTcp : Kind::kBad;
}

/// Kept out of decode(), whose frame stays small without it.
[[gnu::noinline]] void decode_other(LinkType link, Bytes bytes, std::uint32_t wire_bytes, Decoded& out) {
  Unwrap u{.out = out, .bytes = bytes, .wire_bytes = wire_bytes};
  if (const auto layer = by_link(link)) {
    unwrap(u, *layer);
  } else {
    u.fail(DecodeError::kLinkUnsupported);
  }
}

}  // namespace

void decode(const RawPacket& packet, Decoded& out) {
  reset(out);
  const Bytes bytes = packet.bytes;
  const std::uint32_t wire_bytes = std::max(packet.original_bytes, static_cast<std::uint32_t>(bytes.size()));
  if (is_plain(packet.link, bytes)) [[likely]] {
    decode_plain(bytes.subspan(kEthernetHeader), wire_bytes - kEthernetHeader, out);
    return;
  }
  decode_other(packet.link, bytes, wire_bytes, out);
}

void decode_ip(std::span<const std::byte> ip, std::uint32_t wire_bytes, std::uint64_t tunnel, std::uint64_t tunnel_pair, Decoded& out) {
  reset(out);
  out.tunnel = tunnel;
  out.tunnel_pair = tunnel_pair;
  Unwrap u{.out = out, .bytes = ip, .wire_bytes = std::max(wire_bytes, static_cast<std::uint32_t>(ip.size()))};
  unwrap(u, Layer::kIp);
}

ChecksumState check_tcp_checksum(const Decoded& decoded) {
  const TcpSegment& tcp = decoded.tcp;
  const auto fields = fixed<kTcpHeader>(tcp.header);
  if (!fields) return ChecksumState::kUnknown;
  const std::size_t captured = tcp.header.size() + tcp.payload.size();
  const std::uint32_t wire_bytes = (u8_at<12>(*fields) >> 4U) * 4U + tcp.payload_bytes;
  if (captured < wire_bytes || captured > decoded.ip.size()) return ChecksumState::kUnknown;
  const std::uint16_t pseudo = pseudo_header_sum(decoded.src, decoded.dst, kTcp, wire_bytes);
  const std::uint16_t sum = ones_complement_sum(decoded.ip.last(captured));
  if (ones_complement_add(pseudo, sum) == 0xffffU) return ChecksumState::kRight;
  if (tcp.checksum == pseudo || tcp.checksum == pseudo_header_sum(decoded.src, decoded.dst, kTcp, 0)) return ChecksumState::kPseudoHeader;
  return ChecksumState::kWrong;
}

}  // namespace weir::wire
