// Which way a packet takes out of this host: the kernel's own answers (rtnetlink(7)).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "probe/raw/host_network.h"
#include "probe/targets/target_text.h"

struct mnl_socket;

namespace weir::probe::raw {

/// Purpose: asks the kernel. Ownership: its socket. One owner, one thread.
class Routing final : public HostNetwork {
 public:
  /// errno, otherwise.
  static std::expected<Routing, int> open();

  std::expected<Route, int> route_to(const RouteQuestion& question) override;
  std::vector<HostAddress> addresses() const override;
  std::string name_of(unsigned interface) const override;
  unsigned number_of(const std::string& interface) const override;
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

}  // namespace weir::probe::raw
