// Which shard owns what: flows, tokens, handshakes. An interface, since shards share it; and the bounded table behind it.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "engine/plain_syns.h"

namespace weir::engine {

/// A shard's number, from 0.
using ShardId = std::uint8_t;

struct Owner {
  ShardId shard = 0;
  bool marked = false;  ///< kOpener: its SYN had an MPTCP option at some capture point
  friend bool operator==(const Owner&, const Owner&) = default;
};

/// What a key is a key of.
enum class OwnerSpace : std::uint8_t {
  kFlow,    ///< hash of a 4-tuple and the tunnel around it
  kToken,   ///< of a connection whose keys were seen
  kOpener,  ///< an opener's initial sequence number: the same at both sides of a NAT
};
inline constexpr std::size_t kOwnerSpaces = 3;

/// Who owns a key. The first claim stands until it is forgotten, however many shards claim at once.
class Owners {
 public:
  virtual ~Owners() = default;
  virtual std::optional<Owner> find(OwnerSpace space, std::uint64_t key) = 0;
  /// The owner: `shard`, unless there was one. A mark stays.
  virtual Owner claim(OwnerSpace space, std::uint64_t key, ShardId shard, bool mark = false) = 0;
  /// Whoever had it before.
  virtual void assign(OwnerSpace space, std::uint64_t key, ShardId shard) = 0;
  /// Only if it is that shard's.
  virtual void forget(OwnerSpace space, std::uint64_t key, ShardId shard) = 0;
  /// For a while, and at the limit not the oldest: a SYN without an option, by its initial sequence number.
  virtual void keep_plain_syn(std::uint64_t opener, const RawPacket& packet) = 0;
  virtual std::vector<KeptPacket> take_plain_syns(std::uint64_t opener) = 0;
};

/// Purpose: one table of owners. Invariant: never more than `most` entries, in two generations: what has been asked for since the younger
/// one began is in it, and when that one is full, or renew() is called, the older one is let go. So entries in use stay, others expire,
/// and nothing is ever searched for what has expired. One owner, one thread (or a lock around it).
class OwnerTable {
 public:
  explicit OwnerTable(std::size_t most) : half_(most / 2 > 0 ? most / 2 : 1) {}

  std::optional<Owner> find(std::uint64_t key) {
    if (const auto entry = young_.find(key); entry != young_.end()) return entry->second;
    const auto entry = old_.find(key);
    if (entry == old_.end()) return std::nullopt;
    const Owner owner = entry->second;
    old_.erase(entry);
    put(key, owner);
    return owner;
  }
  Owner claim(std::uint64_t key, ShardId shard, bool mark) {
    Owner owner = find(key).value_or(Owner{.shard = shard, .marked = false});
    owner.marked = owner.marked || mark;
    put(key, owner);
    return owner;
  }
  void assign(std::uint64_t key, ShardId shard) {
    old_.erase(key);
    put(key, {.shard = shard, .marked = false});
  }
  void forget(std::uint64_t key, ShardId shard) {
    for (auto* const table : {&young_, &old_}) {
      if (const auto entry = table->find(key); entry != table->end() && entry->second.shard == shard) table->erase(entry);
    }
  }
  /// Time has passed: what was not asked for since the last call is let go.
  void renew() { old_ = std::exchange(young_, {}); }
  std::size_t size() const { return young_.size() + old_.size(); }
  /// Entries let go for want of room.
  std::uint64_t evicted() const { return evicted_; }

 private:
  void put(std::uint64_t key, Owner owner) {
    if (young_.size() >= half_ && !young_.contains(key)) {
      evicted_ += old_.size();
      renew();
    }
    young_.insert_or_assign(key, owner);
  }

  std::size_t half_;
  boost::unordered_flat_map<std::uint64_t, Owner> young_, old_;
  std::uint64_t evicted_ = 0;
};

}  // namespace weir::engine
