// What ways depend on of the host that they begin at. Values, and what is asked of it.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.h"

namespace weir::probe::raw {

struct RouteQuestion {
  IpAddress target;
  unsigned interface = 0;           ///< 0: whichever
  std::optional<IpAddress> source;  ///< the host's own, to speak from: rules may look at it
  friend bool operator==(const RouteQuestion&, const RouteQuestion&) = default;
};

struct Route {
  unsigned interface = 0;
  bool here = false;                 ///< the target is this host itself
  std::optional<IpAddress> gateway;  ///< none: the target is on the link
  std::optional<IpAddress> source;   ///< that the kernel would speak from
  friend bool operator==(const Route&, const Route&) = default;
};

/// An address of this host's, and the net that its interface stands in there.
struct HostAddress {
  std::string interface;
  bool loopback = false;
  IpAddress address;
  unsigned bits = 128;  ///< of the 128 of an IpAddress
};
bool is_within(const IpAddress& address, const HostAddress& net);

/// The host, as far as ways depend on it.
class HostNetwork {
 public:
  virtual ~HostNetwork() = default;
  /// errno: ENETUNREACH where there is none.
  virtual std::expected<Route, int> route_to(const RouteQuestion& question) = 0;
  virtual std::vector<HostAddress> addresses() const = 0;
  /// Empty: there is none.
  virtual std::string name_of(unsigned interface) const = 0;
  /// 0: there is none.
  virtual unsigned number_of(const std::string& interface) const = 0;
};

}  // namespace weir::probe::raw
