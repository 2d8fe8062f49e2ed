// Link layers: Ethernet and its tags, Linux cooked, BSD loopback.
#include "wire/unwrap.h"

namespace weir::wire {
namespace {

// IEEE 802.3 §3.2.6: below this the field is a length, and LLC follows.
constexpr std::uint16_t kLeastEtherType = 0x0600;
constexpr std::uint32_t kSnap = 0xaaaa03;

/// IEEE 802.2 LLC: only SNAP with organisation 0 tells an EtherType (RFC 1042).
Layer llc(Unwrap& u) {
  ByteReader in(u.bytes);
  const std::uint32_t llc = in.u24();
  const std::uint32_t organisation = in.u24();
  const std::uint16_t type = in.u16();
  if (!in.ok() || llc != kSnap || organisation != 0) return u.done(Kind::kNotIp);
  u.skip(8);
  return by_ether_type(u, type);
}

Layer by_type_or_length(Unwrap& u, std::uint16_t type) {
  if (type >= kLeastEtherType) return by_ether_type(u, type);
  if (type > u.wire_bytes) return u.done(Kind::kNotIp);
  u.cut(type);
  return llc(u);
}

/// LINKTYPE_LINUX_SLL's protocol field: an EtherType, or one of Linux's own numbers (linux/if_ether.h) below those.
Layer by_cooked_protocol(Unwrap& u, std::uint16_t protocol) {
  constexpr std::uint16_t kLlc = 0x0004;
  if (protocol == kLlc) return llc(u);
  if (protocol < kLeastEtherType) return u.done(Kind::kNotIp);
  return by_ether_type(u, protocol);
}

}  // namespace

Layer by_ether_type(Unwrap& u, std::uint16_t type) {
  switch (type) {
    case 0x0800:
      return Layer::kIpv4;
    case 0x86dd:
      return Layer::kIpv6;
    case 0x8100:  // 802.1Q
    case 0x88a8:  // 802.1ad
    case 0x9100:  // QinQ before there was a standard
    case 0x9200:
      return Layer::kVlan;
    case 0x8847:
    case 0x8848:
      return Layer::kMpls;
    case 0x8864:
      return Layer::kPppoe;
    case 0x6558:  // transparent Ethernet bridging (RFC 1701)
      return Layer::kEthernet;
    default:
      return u.done(Kind::kNotIp);
  }
}

Layer ethernet(Unwrap& u) {
  const auto header = u.take<14>();
  if (!header) return u.fail(DecodeError::kLinkTruncated);
  return by_type_or_length(u, u16_at<12>(*header));
}

Layer vlan(Unwrap& u) {
  const auto tag = u.take<4>();
  if (!tag) return u.fail(DecodeError::kVlanTruncated);
  return by_type_or_length(u, u16_at<2>(*tag));
}

Layer cooked(Unwrap& u) {
  const auto header = u.take<16>();
  if (!header) return u.fail(DecodeError::kLinkTruncated);
  return by_cooked_protocol(u, u16_at<14>(*header));
}

Layer cooked2(Unwrap& u) {
  const auto header = u.take<20>();
  if (!header) return u.fail(DecodeError::kLinkTruncated);
  return by_cooked_protocol(u, u16_at<0>(*header));
}

Layer loopback(Unwrap& u) {
  const auto header = u.take<4>();
  if (!header) return u.fail(DecodeError::kLinkTruncated);
  const std::uint32_t big = u32_at<0>(*header);
  // LINKTYPE_LOOP is big-endian, LINKTYPE_NULL as the capturing host is; families are small, so the order shows.
  const std::uint32_t family = big > 0xffffU ? std::byteswap(big) : big;
  switch (family) {
    case 2:
      return Layer::kIpv4;
    case 10:  // Linux
    case 24:  // NetBSD, OpenBSD
    case 28:  // FreeBSD
    case 30:  // macOS
      return Layer::kIpv6;
    default:
      return u.done(Kind::kNotIp);
  }
}

}  // namespace weir::wire
