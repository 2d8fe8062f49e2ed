#include "probe/raw/host_network.h"

#include <cstdint>

namespace weir::probe::raw {

bool is_within(const IpAddress& address, const HostAddress& net) {
  if (address.is_v4() != net.address.is_v4()) return false;
  for (unsigned bit = 0; bit < net.bits; bit += 8) {
    const unsigned rest = net.bits - bit;
    const auto mask = static_cast<std::uint8_t>(rest >= 8 ? 0xff : 0xff << (8 - rest));
    if (((address.octets[bit / 8] ^ net.address.octets[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

}  // namespace weir::probe::raw
