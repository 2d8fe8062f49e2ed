// Limits of a decision kept over a connection's life: who may join, how many, how fast; of each connection and of each client.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string_view>
#include <utility>

#include "base/ip_address.h"
#include "base/raw_packet.h"
#include "decide/decision.h"

namespace weir::decide {

/// Which limit a connection or JOIN was refused for; the names are those of the configuration.
enum class LimitReached : std::uint8_t {
  kNone,
  kSubflows,
  kPaths,
  kOpenedBy,
  kJoinsPerSecond,
  kBackupOnly,
  kHostConnections,
  kHostSubflows,
  kHostJoinsPerSecond,
  kCount
};
std::string_view name_of(LimitReached limit);

struct JoinRequest {
  std::uint64_t connection = 0;
  IpAddress client;  ///< the connection's, whoever opens the subflow
  bool by_client = true;
  bool backup = false;                           ///< the flag of the JOIN's SYN
  std::string_view interface_in, interface_out;  ///< of that SYN
  TimeNs now = 0;
};

/// Purpose: counts subflows at once and JOINs over time, against the limits that were decided for each connection. Only connections with limits need
/// come here (JoinLimits::limits_joins). A SYN that is sent again is the same JOIN: the caller asks once.
/// A rate of N a second lets N through at once after a pause, and then one each 1/N s.
/// Invariant: at most `most_connections` and `most_hosts` entries; at the limit the one unused for longest goes, is counted, and begins anew when it
/// comes again (the first subflow counted). A host's subflows are the sum over its connections here. One owner at a time; no I/O; time is that of packets.
class JoinBook {
 public:
  JoinBook(std::size_t most_connections, std::size_t most_hosts) : most_connections_(most_connections), most_hosts_(most_hosts) {}

  /// At the first SYN. kNone: it counts from now on. Else (limits of the host) it is not counted, and should not become an MPTCP connection.
  LimitReached open(std::uint64_t connection, const IpAddress& client, const JoinLimits& limits);
  /// At a JOIN's first SYN. kNone: it counts as a subflow from now on.
  LimitReached join(const JoinRequest& request, const JoinLimits& limits);
  /// A subflow that counted, the first included, is over or did not come about.
  void subflow_ended(std::uint64_t connection);
  void connection_ended(std::uint64_t connection);

  std::size_t connections() const { return connections_.size(); }
  std::size_t hosts() const { return hosts_.size(); }
  std::uint64_t evicted_connections() const { return evicted_connections_; }
  std::uint64_t evicted_hosts() const { return evicted_hosts_; }
  std::uint64_t refused(LimitReached limit) const { return refused_.at(static_cast<std::size_t>(limit)); }

 private:
  struct Connection {
    std::uint64_t number = 0;
    IpAddress client;
    std::uint32_t subflows = 1;
    TimeNs next_ns = 0;  ///< when the rate has room for one more after those counted
  };
  struct Host {
    IpAddress address;
    std::uint32_t connections = 0, subflows = 0;
    TimeNs next_ns = 0;
  };
  struct AddressHash {
    std::size_t operator()(const IpAddress& address) const {
      return std::hash<std::string_view>{}({reinterpret_cast<const char*>(address.octets.data()), address.octets.size()});
    }
  };

  LimitReached refuse(LimitReached limit);
  LimitReached reached(const JoinRequest& request, const JoinLimits& limits, const Connection& connection, const Host& host) const;
  Connection& connection_at(std::uint64_t number, const IpAddress& client);
  Host& host_at(const IpAddress& address);
  Host* known_host(const IpAddress& address);
  void erase(std::list<Connection>::iterator place);

  std::size_t most_connections_, most_hosts_;
  std::list<Connection> connection_order_;  ///< used last: first
  std::list<Host> host_order_;              ///< the same
  boost::unordered_flat_map<std::uint64_t, std::list<Connection>::iterator> connections_;
  boost::unordered_flat_map<IpAddress, std::list<Host>::iterator, AddressHash> hosts_;
  std::uint64_t evicted_connections_ = 0, evicted_hosts_ = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(LimitReached::kCount)> refused_{};
};

}  // namespace weir::decide
