// Which way a packet takes out of this host: the kernel's own answers (rtnetlink(7)).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "probe/targets/target_text.h"

struct mnl_socket;

namespace weir::probe::raw {

struct RouteQuestion {
  IpAddress target;
  unsigned interface = 0;           ///< 0: whichever
  std::optional<IpAddress> source;  ///< the host's own, to speak from: rules may look at it
};

struct Route {
  unsigned interface = 0;
  bool here = false;                 ///< the target is this host itself
  std::optional<IpAddress> gateway;  ///< none: the target is on the link
  std::optional<IpAddress> source;   ///< that the kernel would speak from
};

/// Purpose: asks the kernel. Ownership: its socket. One owner, one thread.
class Routing {
 public:
  /// errno, otherwise.
  static std::expected<Routing, int> open();

  /// errno: ENETUNREACH where there is none.
  std::expected<Route, int> route_to(const RouteQuestion& question);
  /// The destinations of all routes and rules, of both families.
  std::expected<std::vector<targets::Prefix>, int> destinations();

 private:
  struct Close {
    void operator()(mnl_socket* socket) const;
  };
  explicit Routing(mnl_socket* socket) : socket_(socket) {}
  std::expected<Route, int> ask(const RouteQuestion& question, unsigned flags);
  std::expected<void, int> dump(std::uint16_t type, std::uint8_t family, std::vector<targets::Prefix>& into);

  std::unique_ptr<mnl_socket, Close> socket_;
  std::uint32_t sequence_ = 0;
};

/// An address of this host's, and the net that its interface stands in there.
struct HostAddress {
  std::string interface;
  bool loopback = false;
  IpAddress address;
  unsigned bits = 128;  ///< of the 128 of an IpAddress
};
std::vector<HostAddress> addresses_of_host();
bool is_within(const IpAddress& address, const HostAddress& net);

}  // namespace weir::probe::raw
