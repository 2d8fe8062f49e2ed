// Which way a packet takes out of this host: the kernel's own answer (rtnetlink(7), RTM_GETROUTE).
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.h"

namespace weir::probe::raw {

struct Route {
  std::string interface;
  unsigned interface_number = 0;
  std::optional<IpAddress> gateway;  ///< none: the target is on the link
  std::optional<IpAddress> source;   ///< that the kernel would speak from
};
/// errno: ENETUNREACH where there is none.
std::expected<Route, int> route_to(const IpAddress& target);

/// The nets that the interface stands in: what is in one of them needs no gateway.
struct OnLink {
  IpAddress address;    ///< the interface's own there
  unsigned bits = 128;  ///< of the 128 of an IpAddress
};
std::vector<OnLink> nets_of(const std::string& interface);
bool is_within(const IpAddress& address, const OnLink& net);

}  // namespace weir::probe::raw
