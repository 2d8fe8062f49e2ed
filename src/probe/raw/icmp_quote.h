// What a router quotes of a packet of ours in its ICMP error (RFC 792, RFC 4443, RFC 1812 section 4.3.2.3). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/ip_address.h"

namespace weir::probe::raw {

struct IcmpQuote {
  IpAddress router;  ///< who says so
  std::uint8_t type = 0, code = 0;
  bool time_exceeded = false, unreachable = false;
  // Of the packet quoted:
  IpAddress src, dst;
  std::uint16_t src_port = 0, dst_port = 0;
  std::uint32_t seq = 0;
  std::span<const std::byte> tcp;  ///< as far as it is quoted: at least 8 octets
};

/// An IP packet with an ICMP or ICMPv6 error that quotes TCP; nothing for all others. ICMP's checksum is verified.
std::optional<IcmpQuote> read_icmp_quote(std::span<const std::byte> packet);

}  // namespace weir::probe::raw
