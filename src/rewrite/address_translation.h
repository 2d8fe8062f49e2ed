// Which outside address a host behind NAT is told to be at, and what the NAT must do so that it is there.
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ip_address.h"
#include "base/raw_packet.h"
#include "rewrite/nat_settings.h"
#include "wire/mptcp/options.h"

namespace weir::rewrite {

struct HostPort {
  IpAddress address;
  std::uint16_t port = 0;
  friend auto operator<=>(const HostPort&, const HostPort&) = default;
};

/// What the shell does to the kernel's NAT. An installation comes before the packet that tells of it goes on.
struct MappingOrder {
  enum class What : std::uint8_t { kInstall, kRemove };  ///< an installation of what is there lets it live on
  What what = What::kInstall;
  HostPort outside, inside;
  std::int64_t timeout_seconds = 0;  ///< after which the kernel forgets it by itself, in case that no one is there to remove it
};

/// An ADD_ADDR of a host on the inside, its HMAC found right.
struct Offer {
  std::uint64_t connection = 0;
  std::uint8_t host = 0;  ///< who sends it: 0 the client, 1 the server
  IpAddress address;
  std::uint8_t address_id = 0;
  std::optional<std::uint16_t> port;
  std::uint16_t sender_port = 0;  ///< the sender's port on the first subflow: an offer without a port is of this one
  std::uint16_t peer_port = 0;    ///< the port at which the peer knows the sender: what it connects to if it is told none
  bool room_for_port = true;      ///< the option may grow by a port
};

/// Closed. Each takes the option out of its packet, but for kNotConcerned.
enum class NoTranslation : std::uint8_t {
  kNotConcerned,  ///< the address is none of the NAT's
  kNotOffered,    ///< pools are for servers: a client could open the way to any host on the inside
  kNoRoom,        ///< neither a port to tell fits in, nor is the port that the peer would take by itself to be had
  kPoolEmpty,     ///< no outside port is free
  kKernel,        ///< the kernel did not take the mapping
  kLimit,         ///< as many mappings as may be, or as many addresses of one connection
};
std::string_view name_of(NoTranslation why);

/// Purpose: static pairs, and a pool of outside ports, that offers of connections are told by (RFC 8684 §3.4.1); the way back for echoes.
/// Invariant: an outside endpoint leads to one inside endpoint, and one offer keeps what it was told as, however often it is repeated. A mapping that
/// no offer stands for lingers, and can be had again.
/// Limits: NatSettings::most_mappings, kMostOffers of a connection. Ownership: one owner, one thread. Time comes in.
class AddressTranslation {
 public:
  static constexpr std::size_t kMostOffers = 16;      ///< of one connection: Linux takes 8 a side
  static constexpr std::int64_t kLingerSeconds = 30;  ///< of a mapping no longer used: a JOIN may be under way
  static constexpr std::uint32_t kMostTries = 1024;   ///< ports looked at for a free one: beyond that the pool counts as empty

  explicit AddressTranslation(NatSettings settings);

  bool empty() const { return settings_.empty(); }
  /// From now on. Mappings that run go on until their offers end, also where no pool is left that has them; what was told by a fixed pair that is
  /// there no more is told anew.
  void use(NatSettings settings);
  /// Whether an address is one that is told as another one outside.
  bool concerns(const IpAddress& address) const;
  /// What the peer is to be told: address, and port or none. The same offer gets the same.
  std::expected<HostPort, NoTranslation> offer(const Offer& offer, TimeNs now);
  /// Whether this very offer was told before.
  bool knows(std::uint64_t connection, std::uint8_t host, std::uint8_t address_id, const HostPort& offered) const;
  /// The inside's own words for what a peer echoes: address, and port if the offer had one. `host` is who had offered. nullopt: nothing of ours.
  struct Original {
    IpAddress address;
    std::optional<std::uint16_t> port;
  };
  std::optional<Original> original(std::uint64_t connection, std::uint8_t host, std::uint8_t address_id, const HostPort& told) const;
  /// REMOVE_ADDR of `host`.
  void withdraw(std::uint64_t connection, std::uint8_t host, std::span<const std::byte> address_ids, TimeNs now);
  /// The connection is over.
  void end(std::uint64_t connection, TimeNs now);

  /// Renews and removes what is due, and gives what is to be done since the last time, in order. `next_deadline` says when to come again.
  std::vector<MappingOrder> take_orders(TimeNs now);
  std::optional<TimeNs> next_deadline() const;

  std::size_t mappings() const { return mappings_.size(); }

  /// All of it as octets, for a process that goes on with it; what they hold is believed as far as these settings allow it.
  std::vector<std::byte> save() const;
  /// Into an empty one: false, and nothing of it, if the octets are no such state. Installs what it took.
  bool restore(Bytes saved, TimeNs now);

 private:
  struct Mapping {
    HostPort inside;
    std::int64_t timeout_seconds = 0;
    std::uint32_t users = 0;
    TimeNs due = 0;  ///< to be renewed, or if no one uses it, removed
  };
  struct Told {
    IpAddress address;                  ///< as offered
    std::optional<std::uint16_t> port;  ///< as offered
    HostPort told;                      ///< port 0: told without one
    std::optional<HostPort> mapping;    ///< none: a static pair
  };
  struct OfferKey {
    std::uint64_t connection = 0;
    std::uint8_t host = 0, address_id = 0;
    friend auto operator<=>(const OfferKey&, const OfferKey&) = default;
  };
  using Offers = std::map<OfferKey, Told>;
  using Mappings = std::map<HostPort, Mapping>;

  std::expected<Told, NoTranslation> choose(const Offer& offer, TimeNs now);
  std::expected<Told, NoTranslation> choose_of_pool(const Offer& offer, const HostPort& inside, TimeNs now);
  std::optional<Mappings::iterator> mapping_at(const NatSettings::Pool& pool, const HostPort& outside, const HostPort& inside, TimeNs now);
  std::optional<HostPort> free_port(std::size_t pool, bool v4);
  const NatSettings::Pool* pool_of(const HostPort& outside) const;
  bool is_full() const { return mappings_.size() >= settings_.most_mappings; }
  std::size_t offers_of(std::uint64_t connection) const;
  Mappings::iterator add(std::int64_t timeout_seconds, const HostPort& outside, const HostPort& inside, TimeNs now);
  void order(MappingOrder::What what, Mappings::const_iterator mapping);
  void schedule(Mappings::iterator mapping, TimeNs due);
  Offers::iterator forget(Offers::iterator offer, TimeNs now);

  NatSettings settings_;
  Offers offers_;
  Mappings mappings_;                               // by outside endpoint
  std::multimap<HostPort, HostPort> by_inside_;     // inside to outside
  std::set<std::pair<TimeNs, HostPort>> schedule_;  // by due, outside endpoint
  std::vector<std::uint32_t> cursors_;              // by pool: where the search for a free port goes on
  std::vector<MappingOrder> orders_;
};

}  // namespace weir::rewrite
