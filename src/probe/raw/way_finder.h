// Which ways the targets have, by the kernel's routing and what the user has fixed of it. No input or output of its own.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "probe/raw/host_network.h"
#include "report/problem.h"

namespace weir::probe::raw {

/// What the user has fixed. Of a family one source and one gateway at most.
struct WayWishes {
  std::optional<std::string> interface;
  std::vector<IpAddress> sources;   ///< those that are not the host's are answered for
  std::vector<IpAddress> gateways;  ///< else the routes' own
  bool any() const { return interface || !sources.empty() || !gateways.empty(); }
};

/// A way as the kernel knows it.
struct KernelWay {
  unsigned interface = 0;
  IpAddress source;
  std::optional<IpAddress> gateway;
  bool hosts = false;  ///< the source is the host's own
  friend bool operator==(const KernelWay&, const KernelWay&) = default;
};

/// Purpose: wishes and routes into ways. Invariant: what is wished holds for every way. Ownership: none; the network outlives it.
/// One owner, one thread.
class WayFinder {
 public:
  /// A Problem: the wishes contradict each other, or this host.
  static std::expected<WayFinder, report::Problem> make(const WayWishes& wishes, HostNetwork& network);

  /// The way to a target; why there is none, otherwise.
  std::expected<KernelWay, std::string> way_to(const IpAddress& target);
  /// The interface that has the address, other than loopback; empty: none.
  std::string holder_of(const IpAddress& address) const;

 private:
  /// What is fixed of one family.
  struct Fixed {
    unsigned interface = 0;  ///< 0: whichever
    std::optional<IpAddress> source, gateway;
    bool hosts = false;  ///< the source is the host's own
  };
  explicit WayFinder(HostNetwork& network) : network_(&network), addresses_(network.addresses()) {}
  std::optional<report::Problem> fix_interface(const std::string& name);
  std::optional<report::Problem> fix_source(const IpAddress& source);
  std::optional<report::Problem> fix_gateway(const IpAddress& gateway);
  Fixed& fixed(const IpAddress& of) { return of.is_v4() ? v4_ : v6_; }
  std::expected<Route, int> route_by(const Fixed& fixed, const IpAddress& target);
  /// The interface's first of the target's family.
  std::optional<IpAddress> address_on(unsigned interface, const IpAddress& target) const;
  bool is_hosts(const IpAddress& address);

  HostNetwork* network_;
  std::vector<HostAddress> addresses_;
  std::string interface_;  ///< that the user named; empty: none
  Fixed v4_, v6_;
  std::map<IpAddress, bool> hosts_;
};

}  // namespace weir::probe::raw
