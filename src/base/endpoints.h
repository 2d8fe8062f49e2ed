// Addresses and ports of a connection or subflow.
#pragma once

#include <compare>
#include <cstdint>

#include "base/ip_address.h"

namespace weir {

/// Client to server, as the log has them.
struct Endpoints {
  IpAddress src, dst;
  std::uint16_t src_port = 0, dst_port = 0;
  friend auto operator<=>(const Endpoints&, const Endpoints&) = default;
};

}  // namespace weir
