#include "decide/join_book.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace weir::decide {
namespace {

constexpr TimeNs kSecondNs = 1'000'000'000;
constexpr auto kLimits = std::to_array<std::string_view>(
    {"none", "subflows", "paths", "opened_by", "joins_per_second", "backup_only", "host_connections", "host_subflows", "host_joins_per_second"});
static_assert(kLimits.size() == static_cast<std::size_t>(LimitReached::kCount));

/// Whether the rate has room at `now`, `next_ns` being when it has after all that were let through. 0: no limit.
bool has_room(std::uint32_t per_second, TimeNs next_ns, TimeNs now) { return per_second == 0 || next_ns <= now + kSecondNs - kSecondNs / per_second; }
void take_room(std::uint32_t per_second, TimeNs& next_ns, TimeNs now) {
  if (per_second > 0) next_ns = std::max(next_ns, now) + kSecondNs / per_second;
}

bool crosses(std::string_view pattern, std::string_view interface) {
  if (!pattern.ends_with('*')) return pattern == interface;
  return interface.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool path_allowed(const JoinLimits& limits, const JoinRequest& request) {
  return limits.paths.empty() || std::ranges::any_of(limits.paths, [&](const std::string& path) {
           return crosses(path, request.interface_in) || crosses(path, request.interface_out);
         });
}

}  // namespace

std::string_view name_of(LimitReached limit) { return kLimits.at(static_cast<std::size_t>(limit)); }

LimitReached JoinBook::refuse(LimitReached limit) {
  ++refused_.at(static_cast<std::size_t>(limit));
  return limit;
}

LimitReached JoinBook::open(std::uint64_t connection, const IpAddress& client, const JoinLimits& limits) {
  if (const auto known = connections_.find(connection); known != connections_.end()) return LimitReached::kNone;
  Host& host = host_at(client);
  if (limits.host_connections > 0 && host.connections >= limits.host_connections) return refuse(LimitReached::kHostConnections);
  if (limits.host_subflows > 0 && host.subflows >= limits.host_subflows) return refuse(LimitReached::kHostSubflows);
  connection_at(connection, client);
  return LimitReached::kNone;
}

LimitReached JoinBook::reached(const JoinRequest& request, const JoinLimits& limits, const Connection& connection, const Host& host) const {
  if (limits.opened_by != MayOpen::kBoth && (limits.opened_by == MayOpen::kClient) != request.by_client) return LimitReached::kOpenedBy;
  if (limits.backup_only && !request.backup) return LimitReached::kBackupOnly;
  if (!path_allowed(limits, request)) return LimitReached::kPaths;
  if (limits.subflows > 0 && connection.subflows >= limits.subflows) return LimitReached::kSubflows;
  if (limits.host_subflows > 0 && host.subflows >= limits.host_subflows) return LimitReached::kHostSubflows;
  if (!has_room(limits.joins_per_second, connection.next_ns, request.now)) return LimitReached::kJoinsPerSecond;
  if (!has_room(limits.host_joins_per_second, host.next_ns, request.now)) return LimitReached::kHostJoinsPerSecond;
  return LimitReached::kNone;
}

LimitReached JoinBook::join(const JoinRequest& request, const JoinLimits& limits) {
  Connection& connection = connection_at(request.connection, request.client);
  Host& host = host_at(connection.client);
  if (const LimitReached limit = reached(request, limits, connection, host); limit != LimitReached::kNone) return refuse(limit);
  take_room(limits.joins_per_second, connection.next_ns, request.now);
  take_room(limits.host_joins_per_second, host.next_ns, request.now);
  ++connection.subflows;
  ++host.subflows;
  return LimitReached::kNone;
}

void JoinBook::subflow_ended(std::uint64_t connection) {
  const auto known = connections_.find(connection);
  if (known == connections_.end() || known->second->subflows == 0) return;
  --known->second->subflows;
  if (Host* host = known_host(known->second->client); host && host->subflows > 0) --host->subflows;
}

void JoinBook::connection_ended(std::uint64_t connection) {
  if (const auto known = connections_.find(connection); known != connections_.end()) erase(known->second);
}

void JoinBook::erase(std::list<Connection>::iterator place) {
  if (Host* host = known_host(place->client)) {
    host->subflows -= std::min(host->subflows, place->subflows);
    host->connections -= std::min(host->connections, 1U);
    if (host->connections == 0) host->subflows = 0;
  }
  connections_.erase(place->number);
  connection_order_.erase(place);
}

JoinBook::Connection& JoinBook::connection_at(std::uint64_t number, const IpAddress& client) {
  if (const auto known = connections_.find(number); known != connections_.end()) {
    connection_order_.splice(connection_order_.begin(), connection_order_, known->second);
    return *known->second;
  }
  if (connections_.size() >= most_connections_) {
    erase(std::prev(connection_order_.end()));
    ++evicted_connections_;
  }
  Host& host = host_at(client);
  ++host.connections;
  ++host.subflows;
  connection_order_.push_front({.number = number, .client = client});
  connections_[number] = connection_order_.begin();
  return connection_order_.front();
}

JoinBook::Host* JoinBook::known_host(const IpAddress& address) {
  const auto known = hosts_.find(address);
  return known == hosts_.end() ? nullptr : &*known->second;
}

JoinBook::Host& JoinBook::host_at(const IpAddress& address) {
  if (const auto known = hosts_.find(address); known != hosts_.end()) {
    host_order_.splice(host_order_.begin(), host_order_, known->second);
    return *known->second;
  }
  if (hosts_.size() >= most_hosts_) {
    hosts_.erase(host_order_.back().address);
    host_order_.pop_back();
    ++evicted_hosts_;
  }
  host_order_.push_front({.address = address});
  hosts_[address] = host_order_.begin();
  return host_order_.front();
}

}  // namespace weir::decide
