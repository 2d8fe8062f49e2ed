// IPv6 extension headers (RFC 8200 §4): which next-header values are one, and how long each is.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/ip_protocol.h"

namespace weir::wire {

inline constexpr std::size_t kIpv6Header = 40;
inline constexpr std::size_t kIpv6FragmentHeader = 8;

/// Takes an extension header with a length field off `in`, and gives it; `next` becomes what it names. The fragment header
/// is none of these. Empty and !in.ok() if it is longer than what there is.
inline Bytes take_extension(ByteReader& in, std::uint8_t& next) {
  ByteReader ahead(in.rest());
  const std::uint8_t following = ahead.u8();
  const std::size_t units = ahead.u8();
  // RFC 8200 §4.3: 8-octet units, not counting the first. RFC 4302 §2.2: 4-octet units, minus 2.
  const Bytes header = in.take(next == kAuthentication ? (units + 2) * 4 : (units + 1) * 8);
  next = following;
  return header;
}

constexpr bool is_extension(std::uint8_t next) {
  return next == kHopByHop || next == kRouting || next == kAuthentication || next == kDestinationOptions || next == kMobility;
}

}  // namespace weir::wire
