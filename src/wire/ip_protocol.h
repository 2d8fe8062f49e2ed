// IP protocol numbers (IANA, "Assigned Internet Protocol Numbers"), which are IPv6's next-header values, too.
#pragma once

#include <cstdint>

namespace weir::wire {

/// Unscoped: they are compared with octets of headers.
enum IpProtocol : std::uint8_t {
  kHopByHop = 0,
  kIpv4InIp = 4,
  kTcp = 6,
  kUdp = 17,
  kIpv6InIp = 41,
  kRouting = 43,
  kFragmentHeader = 44,
  kGre = 47,
  kAuthentication = 51,
  kIcmpv6 = 58,
  kDestinationOptions = 60,
  kEtherIp = 97,
  kMobility = 135,
  kMplsInIp = 137,
};

}  // namespace weir::wire
