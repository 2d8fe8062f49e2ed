// Which hosts and services speak MPTCP: a bounded table, what was seen goes in, what is new comes out.
#pragma once

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "base/ip_address.h"
#include "base/raw_packet.h"
#include "inspect/mptcp_use.h"

namespace weir::inspect {

enum class InventoryRole : std::uint8_t { kClient, kServer };

/// A host as client, or a service: an address and a port that answers.
struct InventoryKey {
  IpAddress address;
  InventoryRole role = InventoryRole::kClient;
  std::uint16_t port = 0;  ///< of a server
  friend auto operator<=>(const InventoryKey&, const InventoryKey&) = default;
};

/// Another address of a host: offered in ADD_ADDR, or used by a subflow beyond the first.
struct InventoryAddress {
  IpAddress address;
  std::uint16_t port = 0;  ///< 0: none but the service's own
  bool offered = false;
  bool authentic = false;  ///< an offer's HMAC was right
  bool used = false;
  friend bool operator==(const InventoryAddress&, const InventoryAddress&) = default;
};

struct InventoryEntry {
  InventoryKey key;
  bool speaks = false;        ///< false: a server that was offered MPTCP and has never agreed
  std::uint8_t versions = 0;  ///< bit 0: v0, bit 1: v1; none: nothing seen told
  TimeNs first_ns = 0;        ///< seen to speak MPTCP; of one that does not: to refuse it
  TimeNs last_ns = 0;
  // Connections.
  std::uint64_t agreed = 0;      ///< those seen from their middle included
  std::uint64_t refused = 0;     ///< offered by the client, answered without
  std::uint64_t unanswered = 0;  ///< offered by the client, not answered
  std::uint64_t fallback = 0;    ///< agreed, and left
  std::uint32_t most_subflows = 0;
  std::vector<InventoryAddress> addresses;
  friend bool operator==(const InventoryEntry&, const InventoryEntry&) = default;
};

/// What was learnt just now, and the entry as it is with it.
struct InventoryNews {
  enum class What : std::uint8_t { kSpeaker, kVersion, kAddress };
  What what = What::kSpeaker;
  InventoryEntry entry;
  std::optional<std::uint8_t> version;      ///< kSpeaker, kVersion: that it was seen to speak
  std::optional<InventoryAddress> address;  ///< kAddress
};

/// Purpose: one entry for each local host that offers MPTCP and each local service that was offered it.
/// Invariant: at most `most` entries; at the limit the one seen last the longest ago goes, and is counted. An entry's addresses are at most kMostAddresses.
/// One owner at a time; no I/O. The same uses in the same order give the same table.
class Inventory {
 public:
  static constexpr std::size_t kMostAddresses = 16;  // of one entry: hosts have fewer paths; what forged offers add is counted
  using News = boost::container::small_vector<InventoryNews, 2>;

  /// `local`: whose entries are kept.
  Inventory(std::size_t most, std::function<bool(const IpAddress&)> local) : most_(most), local_(std::move(local)) {}

  bool concerns(const MptcpUse& use) const { return local_(use.connection.src) || local_(use.connection.dst); }
  News take(const MptcpUse& use);
  /// Entries of an earlier run, as far as there is room; one that is there already stays.
  void restore(std::vector<InventoryEntry> entries);
  /// In the order of their keys.
  std::vector<InventoryEntry> entries() const;

  /// Whether it was seen to speak MPTCP. None: no local host's, so that no one would know.
  std::optional<bool> speaks(const InventoryKey& key) const;

  std::size_t size() const { return entries_.size(); }
  std::uint64_t evicted() const { return evicted_; }
  /// Connections seen from their middle whose ports do not tell client from server.
  std::uint64_t roles_unknown() const { return roles_unknown_; }
  std::uint64_t addresses_left_out() const { return addresses_left_out_; }

 private:
  struct KeyHash {
    std::size_t operator()(const InventoryKey& key) const;
  };
  using Place = std::list<InventoryEntry>::iterator;

  InventoryEntry* find(const InventoryKey& key);
  InventoryEntry& at(const InventoryKey& key, TimeNs now);
  void spoke(const InventoryKey& key, std::optional<std::uint8_t> version, TimeNs now, News& news, InventoryEntry*& entry);
  void add_address(InventoryEntry& entry, InventoryAddress address, News& news);

  std::size_t most_;
  std::function<bool(const IpAddress&)> local_;
  std::list<InventoryEntry> order_;  ///< seen last: first
  boost::unordered_flat_map<InventoryKey, Place, KeyHash> entries_;
  std::uint64_t evicted_ = 0, roles_unknown_ = 0, addresses_left_out_ = 0;
};

}  // namespace weir::inspect
