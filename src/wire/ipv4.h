// The IPv4 header (RFC 791 §3.1): inline, as every layer on the decoder's fast path is.
#pragma once

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/unwrap.h"

namespace weir::wire {

inline constexpr std::size_t kIpv4Header = 20;
inline constexpr std::uint16_t kIpv4MoreFragments = 0x2000;
inline constexpr std::uint16_t kIpv4FragmentOffset = 0x1fff;

/// Whether a header of 20 octets or more holds its right checksum, or 0, which checksum offload leaves.
inline bool ipv4_checksum_fits(Fixed<kIpv4Header> fields, Bytes header) {
  if (header.size() == kIpv4Header) [[likely]] {
    std::uint64_t sum = std::uint64_t{u32_at<0>(fields)} + u32_at<4>(fields) + u32_at<8>(fields) + u32_at<12>(fields) + u32_at<16>(fields);
    sum = (sum & 0xffffU) + (sum >> 16U);
    sum = (sum & 0xffffU) + (sum >> 16U);
    sum = (sum & 0xffffU) + (sum >> 16U);
    if (sum == 0xffffU) [[likely]]
      return true;
  } else if (ones_complement_sum(header) == 0xffffU) {
    return true;
  }
  return u16_at<10>(fields) == 0;
}

inline Layer ipv4(Unwrap& u) {
  const auto fields = fixed<kIpv4Header>(u.bytes);
  if (!fields) return u.fail(DecodeError::kIpv4Truncated);
  const std::uint8_t first = u8_at<0>(*fields);
  if (first >> 4U != 4) return u.fail(DecodeError::kIpv4BadVersion);
  const std::uint32_t header_bytes = (first & 0x0fU) * 4U;
  if (header_bytes < kIpv4Header) return u.fail(DecodeError::kIpv4HeaderTooSmall);
  std::uint32_t total = u16_at<2>(*fields);
  if (total == 0 && u.wire_bytes > kLongestOrdinaryIp) total = u.wire_bytes;
  if (total < header_bytes) return u.fail(DecodeError::kIpv4LengthTooSmall);
  // What the snap length cut still counts in wire_bytes: this packet was too short when it was seen.
  if (total > u.wire_bytes || header_bytes > u.bytes.size()) return u.fail(DecodeError::kIpv4Truncated);
  // RFC 1122 §3.2.1.2: a host silently discards a datagram with a bad header checksum.
  if (!ipv4_checksum_fits(*fields, u.bytes.first(header_bytes))) return u.fail(DecodeError::kIpv4BadChecksum);

  Decoded& out = u.out;
  u.cut(total);
  out.ip_version = 4;
  out.ttl = u8_at<8>(*fields);
  out.protocol = u8_at<9>(*fields);
  out.ip_id = u16_at<4>(*fields);
  out.src = IpAddress::v4(fields->subspan<12, 4>());
  out.dst = IpAddress::v4(fields->subspan<16, 4>());
  out.ip = u.bytes;
  out.ip_bytes = total;
  u.prove_tunnel();
  u.skip(header_bytes);

  const std::uint16_t fragment = u16_at<6>(*fields);
  if (fragment & (kIpv4MoreFragments | kIpv4FragmentOffset)) [[unlikely]] {
    out.fragment = FragmentInfo{
        .id = out.ip_id,
        .offset_bytes = (fragment & kIpv4FragmentOffset) * 8U,
        .more = (fragment & kIpv4MoreFragments) != 0,
        .protocol = out.protocol,
        .payload = u.bytes,
        .payload_bytes = u.wire_bytes,
        .header = out.ip.first(header_bytes),
        .next_header_offset = 0,
    };
    return u.done(Kind::kFragment);
  }
  return Layer::kTransport;
}

}  // namespace weir::wire
