// The IPv4 header (RFC 791 §3.1): inline, as all is that nearly every packet goes through.
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

struct Ipv4Lengths {
  std::uint32_t header = 0;
  std::uint32_t total = 0;
};

/// What a receiver checks before it believes the header. `wire_bytes` is what there was on the wire from here on.
inline DecodeError check_ipv4(Bytes bytes, std::uint32_t wire_bytes, Ipv4Lengths& lengths) {
  const auto fields = fixed<kIpv4Header>(bytes);
  if (!fields) return DecodeError::kIpv4Truncated;
  const std::uint8_t first = u8_at<0>(*fields);
  if (first >> 4U != 4) return DecodeError::kIpv4BadVersion;
  lengths.header = (first & 0x0fU) * 4U;
  if (lengths.header < kIpv4Header) return DecodeError::kIpv4HeaderTooSmall;
  lengths.total = u16_at<2>(*fields);
  if (lengths.total == 0 && wire_bytes > kLongestOrdinaryIp) lengths.total = wire_bytes;
  if (lengths.total < lengths.header) return DecodeError::kIpv4LengthTooSmall;
  // What the snap length cut still counts in wire_bytes: this packet was too short when it was seen.
  if (lengths.total > wire_bytes || lengths.header > bytes.size()) return DecodeError::kIpv4Truncated;
  // RFC 1122 §3.2.1.2: a host silently discards a datagram with a bad header checksum.
  if (!ipv4_checksum_fits(*fields, bytes.first(lengths.header))) return DecodeError::kIpv4BadChecksum;
  return DecodeError::kNone;
}

/// Tells a checked header. `ip` is what was captured of the packet, its link trailer cut off.
inline void tell_ipv4(Bytes ip, std::uint32_t total, Decoded& out) {
  const auto fields = fixed<kIpv4Header>(ip);
  if (!fields) return;
  out.ip_version = 4;
  out.ttl = u8_at<8>(*fields);
  out.protocol = u8_at<9>(*fields);
  out.ip_id = u16_at<4>(*fields);
  out.src.set_v4((*fields).subspan<12, 4>());
  out.dst.set_v4((*fields).subspan<16, 4>());
  out.ip = ip;
  out.ip_bytes = total;
}

}  // namespace weir::wire
