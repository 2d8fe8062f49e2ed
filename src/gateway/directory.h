// Which shard has what: tokens and flows of connections that are followed, for all shards to look into.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "engine/owners.h"

namespace weir::gateway {

struct DirectoryLimits {
  std::size_t tokens = 4 << 20;  ///< two a connection
  std::size_t flows = 4 << 20;   ///< one a subflow
  std::size_t joins = 1 << 16;   ///< whose SYN was not answered yet
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

  /// A JOIN has passed that this shard follows; on addresses that come again the kernel's mark still says another one.
  void expect_answer(std::uint64_t hash, unsigned shard);
  /// Which shard waits for the answer to a JOIN; from now on none does.
  std::optional<unsigned> take_answer(std::uint64_t hash);
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

  static Stripe& stripe(Space& space, std::uint64_t key);
  static std::optional<unsigned> find(Space& space, std::uint64_t key);
  static void claim(Space& space, std::uint64_t key, unsigned shard);
  static void forget(Space& space, std::uint64_t key, unsigned shard);
  static std::size_t size(Space& space);

  Space tokens_, flows_, joins_;
};

}  // namespace weir::gateway
