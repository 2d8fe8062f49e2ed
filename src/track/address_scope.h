// Who can reach an address, as the IANA special-purpose registries have it.
#pragma once

#include "base/ip_address.h"

namespace weir::track {

/// RFC 1918, unique local, link-local or loopback: not reachable from a peer at a global address. Documentation and benchmark
/// ranges count as global.
bool is_private(const IpAddress& address);

/// Reachable from everywhere: neither private, nor shared (RFC 6598), nor multicast, nor unspecified.
bool is_global(const IpAddress& address);

}  // namespace weir::track
