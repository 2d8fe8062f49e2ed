// Which shard has what: tokens and flows of connections that are followed, for all shards to look into.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "base/raw_packet.h"
#include "engine/owners.h"
#include "gateway/two_generations.h"

namespace weir::gateway {

struct DirectoryLimits {
  std::size_t tokens = 4 << 20;  ///< two a connection
  std::size_t flows = 4 << 20;   ///< one a subflow
  std::size_t joins = 1 << 16;   ///< whose SYN was not answered yet
};

/// A JOIN that its shard has let pass.
struct UnansweredJoin {
  unsigned shard = 0;
  std::uint32_t isn = 0;
  TimeNs time_ns = 0;
};

/// Purpose: leads a JOIN to the shard that has its token, and a packet whose mark the kernel does not know to the shard that has its flow.
/// Invariant: the first claim of a token stands until its shard forgets it; never more entries than the limits say: those not asked for for longest go, and are
/// counted. What is not found is judged where it came. Threads: any; each key has one of kStripes locks.
class Directory {
 public:
  explicit Directory(const DirectoryLimits& limits = {});

  std::optional<unsigned> shard_of_token(std::uint32_t token) { return find(tokens_, token); }
  std::optional<unsigned> shard_of_flow(std::uint64_t hash) { return find(flows_, hash); }
  void claim_token(std::uint32_t token, unsigned shard) { claim(tokens_, token, shard); }
  /// The first claim stands.
  void claim_flow(std::uint64_t hash, unsigned shard) { claim(flows_, hash, shard); }
  /// Whoever had it before: addresses and ports come again.
  void assign_flow(std::uint64_t hash, unsigned shard);
  /// Only if it is that shard's.
  void forget_token(std::uint32_t token, unsigned shard) { forget(tokens_, token, shard); }
  void forget_flow(std::uint64_t hash, unsigned shard) { forget(flows_, hash, shard); }

  /// On addresses that come again the kernel's mark still says another shard. The latest JOIN on a flow's addresses counts.
  void expect_answer(std::uint64_t hash, const UnansweredJoin& join);
  /// Which shard waits for a SYN/ACK that acknowledges that; for how long, is limited.
  std::optional<unsigned> shard_of_answer(std::uint64_t hash, std::uint32_t ack, TimeNs now);
  /// It has come, or something else than that JOIN has these addresses now.
  void forget_answer(std::uint64_t hash);
  std::size_t tokens() { return size(tokens_); }
  std::size_t flows() { return size(flows_); }
  /// Entries let go for want of room.
  std::uint64_t evicted();

 private:
  static constexpr std::size_t kStripes = 64;
  struct alignas(64) Stripe {
    explicit Stripe(std::size_t most) : table(most) {}
    std::mutex mutex;
    engine::OwnerTable table;
  };
  using Space = std::array<std::unique_ptr<Stripe>, kStripes>;

  static std::size_t place(std::uint64_t key);
  static Stripe& stripe(Space& space, std::uint64_t key) { return *space[place(key)]; }
  static std::optional<unsigned> find(Space& space, std::uint64_t key);
  static void claim(Space& space, std::uint64_t key, unsigned shard);
  static void forget(Space& space, std::uint64_t key, unsigned shard);
  static std::size_t size(Space& space);

  struct alignas(64) Joins {
    explicit Joins(std::size_t most) : table(most) {}
    std::mutex mutex;
    TwoGenerations<UnansweredJoin> table;
  };
  Joins& joins(std::uint64_t hash) { return *joins_[place(hash)]; }

  Space tokens_, flows_;
  std::array<std::unique_ptr<Joins>, kStripes> joins_;
};

}  // namespace weir::gateway
