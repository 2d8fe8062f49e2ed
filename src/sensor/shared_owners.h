// The directory that all workers look into: who owns a flow, a token, a handshake.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/owners.h"

namespace weir::sensor {

/// Entries of each space. An entry has about 24 octets, and the tables are made as large as they come to be.
struct OwnerLimits {
  std::size_t flows = 4 << 20;     ///< of MPTCP connections; with --all-tcp of all
  std::size_t tokens = 4 << 20;    ///< two a connection
  std::size_t openers = 1 << 20;   ///< needed while a handshake passes several capture points
  std::size_t plain_syns = 4'096;  ///< of several capture points, the latest; some 100 octets each
};

/// Purpose: engine::Owners for several threads: each key belongs to one of kStripes tables, each behind a lock of its own.
class SharedOwners : public engine::Owners {
 public:
  explicit SharedOwners(const OwnerLimits& limits = {});

  std::optional<engine::Owner> find(engine::OwnerSpace space, std::uint64_t key) override;
  engine::Owner claim(engine::OwnerSpace space, std::uint64_t key, engine::ShardId shard, bool mark = false) override;
  void assign(engine::OwnerSpace space, std::uint64_t key, engine::ShardId shard) override;
  void forget(engine::OwnerSpace space, std::uint64_t key, engine::ShardId shard) override;
  void keep_plain_syn(std::uint64_t opener, const RawPacket& packet) override;
  std::vector<engine::KeptPacket> take_plain_syns(std::uint64_t opener) override;

  /// Lets go what was not asked for since the last call. Not for tokens: these go with their connections.
  void renew(engine::OwnerSpace space);
  /// Entries let go for want of room.
  std::uint64_t evicted();

 private:
  static constexpr std::size_t kStripes = 64;
  struct alignas(64) Stripe {
    explicit Stripe(std::size_t most) : table(most) {}
    std::mutex mutex;
    engine::OwnerTable table;
  };
  Stripe& stripe(engine::OwnerSpace space, std::uint64_t key);

  std::array<std::array<std::unique_ptr<Stripe>, kStripes>, engine::kOwnerSpaces> stripes_;
  std::mutex plain_syns_mutex_;
  engine::PlainSyns plain_syns_;
};

}  // namespace weir::sensor
