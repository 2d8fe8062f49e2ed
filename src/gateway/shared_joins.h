// The limits of connections and clients, kept for all shards together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "decide/join_book.h"

namespace weir::gateway {

/// Purpose: one decide::JoinBook behind a lock: a client's connections are in several shards, its limits hold for all of them together. Only connections with
/// limits come here, at their SYNs and ends. Threads: any.
class SharedJoins {
 public:
  SharedJoins(std::size_t most_connections, std::size_t most_hosts) : book_(most_connections, most_hosts) {}

  decide::LimitReached open(std::uint64_t connection, const IpAddress& client, const decide::JoinLimits& limits) {
    const std::scoped_lock lock(mutex_);
    return book_.open(connection, client, limits);
  }
  decide::LimitReached join(const decide::JoinRequest& request, const decide::JoinLimits& limits) {
    const std::scoped_lock lock(mutex_);
    return book_.join(request, limits);
  }
  void subflow_ended(std::uint64_t connection) {
    const std::scoped_lock lock(mutex_);
    book_.subflow_ended(connection);
  }
  void connection_ended(std::uint64_t connection) {
    const std::scoped_lock lock(mutex_);
    book_.connection_ended(connection);
  }

 private:
  std::mutex mutex_;
  decide::JoinBook book_;
};

}  // namespace weir::gateway
