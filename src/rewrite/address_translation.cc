#include "rewrite/address_translation.h"

#include <algorithm>
#include <utility>

namespace weir::rewrite {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;

bool has_port(const NatSettings::Pool& pool, std::uint16_t port) { return port >= pool.first_port && port <= pool.last_port; }

}  // namespace

std::string_view name_of(NoTranslation why) {
  switch (why) {
    case NoTranslation::kNotConcerned:
      return "not_concerned";
    case NoTranslation::kNotOffered:
      return "not_a_server";
    case NoTranslation::kNoRoom:
      return "no_room";
    case NoTranslation::kPoolEmpty:
      return "pool_empty";
    case NoTranslation::kKernel:
      return "kernel";
    case NoTranslation::kLimit:
      return "limit";
  }
  return "unknown";
}

AddressTranslation::AddressTranslation(NatSettings settings) : settings_(std::move(settings)), cursors_(settings_.pools.size()) {}

void AddressTranslation::use(NatSettings settings) {
  settings_ = std::move(settings);
  cursors_.assign(settings_.pools.size(), 0);
  for (auto& [outside, mapping] : mappings_)
    if (const NatSettings::Pool* pool = pool_of(outside)) mapping.timeout_seconds = pool->timeout_seconds;
  std::erase_if(offers_, [&](const auto& offer) {
    if (offer.second.mapping) return false;
    const auto fixed = settings_.fixed.find(offer.second.address);
    return fixed == settings_.fixed.end() || fixed->second != offer.second.told.address;
  });
}

bool AddressTranslation::concerns(const IpAddress& address) const {
  return settings_.fixed.contains(address) || (settings_.has_pool(address.is_v4()) && settings_.is_inside(address));
}

std::size_t AddressTranslation::offers_of(std::uint64_t connection) const {
  std::size_t count = 0;
  for (auto offer = offers_.lower_bound({.connection = connection}); offer != offers_.end() && offer->first.connection == connection; ++offer) ++count;
  return count;
}

std::expected<HostPort, NoTranslation> AddressTranslation::offer(const Offer& offer, TimeNs now) {
  const OfferKey key{.connection = offer.connection, .host = offer.host, .address_id = offer.address_id};
  auto known = offers_.find(key);
  if (known != offers_.end()) {
    const Told& told = known->second;
    if (told.address == offer.address && told.port == offer.port) {
      if (told.told.port != 0 && !offer.port && !offer.room_for_port) return std::unexpected(NoTranslation::kNoRoom);
      return told.told;
    }
    forget(known, now);  // the ID is another address's now
  }
  if (offers_of(offer.connection) >= kMostOffers) return std::unexpected(NoTranslation::kLimit);
  auto told = choose(offer, now);
  if (!told) return std::unexpected(told.error());
  if (told->mapping) ++mappings_.at(*told->mapping).users;
  return offers_.emplace(key, *std::move(told)).first->second.told;
}

std::expected<AddressTranslation::Told, NoTranslation> AddressTranslation::choose(const Offer& offer, TimeNs now) {
  const HostPort inside{.address = offer.address, .port = offer.port.value_or(offer.sender_port)};
  const auto fixed = settings_.fixed.find(offer.address);
  if (fixed == settings_.fixed.end()) return choose_of_pool(offer, inside, now);
  // One to one: the port inside is the port outside. It is told where the peer would take another one by itself.
  Told told{.address = offer.address, .port = offer.port, .told = {.address = fixed->second, .port = offer.port.value_or(0)}, .mapping = std::nullopt};
  if (!offer.port && offer.peer_port != offer.sender_port) {
    if (!offer.room_for_port) return std::unexpected(NoTranslation::kNoRoom);
    told.told.port = offer.sender_port;
  }
  return told;
}

std::expected<AddressTranslation::Told, NoTranslation> AddressTranslation::choose_of_pool(const Offer& offer, const HostPort& inside, TimeNs now) {
  const bool v4 = offer.address.is_v4();
  if (!concerns(offer.address)) return std::unexpected(NoTranslation::kNotConcerned);
  if (offer.host == 0 || inside.port == 0) return std::unexpected(NoTranslation::kNotOffered);
  const auto told = [&](Mappings::const_iterator mapping, bool with_port) {
    return Told{.address = offer.address,
                .port = offer.port,
                .told = {.address = mapping->first.address, .port = with_port ? mapping->first.port : std::uint16_t{0}},
                .mapping = mapping->first};
  };
  // The same port outside, if it is to be had: what is told without one is then what the peer chooses by itself, and the option stays as long as it is.
  if (const std::uint16_t wanted = offer.port.value_or(offer.peer_port); wanted != 0)
    for (const NatSettings::Pool& pool : settings_.pools)
      for (const IpAddress& address : pool.outside)
        if (address.is_v4() == v4 && has_port(pool, wanted))
          if (const auto mapping = mapping_at(pool, {.address = address, .port = wanted}, inside, now)) return told(*mapping, offer.port.has_value());
  if (!offer.port && !offer.room_for_port) return std::unexpected(NoTranslation::kNoRoom);
  const auto [first, last] = by_inside_.equal_range(inside);
  // Of a pool that the settings had before, it is for the offers that it was told to.
  const auto known = std::find_if(first, last, [&](const auto& pair) { return pool_of(pair.second) != nullptr; });
  if (known != last) return told(mappings_.find(known->second), true);
  if (is_full()) return std::unexpected(NoTranslation::kLimit);
  for (std::size_t pool = 0; pool < settings_.pools.size(); ++pool)
    if (const auto outside = free_port(pool, v4)) return told(add(settings_.pools[pool].timeout_seconds, *outside, inside, now), true);
  return std::unexpected(NoTranslation::kPoolEmpty);
}

const NatSettings::Pool* AddressTranslation::pool_of(const HostPort& outside) const {
  for (const NatSettings::Pool& pool : settings_.pools)
    if (has_port(pool, outside.port) && std::ranges::find(pool.outside, outside.address) != pool.outside.end()) return &pool;
  return nullptr;
}

/// The mapping of an outside endpoint, made if no one has it; none if it is another inside endpoint's.
std::optional<AddressTranslation::Mappings::iterator> AddressTranslation::mapping_at(const NatSettings::Pool& pool, const HostPort& outside,
                                                                                     const HostPort& inside, TimeNs now) {
  const auto known = mappings_.find(outside);
  if (known == mappings_.end()) return is_full() ? std::nullopt : std::optional(add(pool.timeout_seconds, outside, inside, now));
  return known->second.inside == inside ? std::optional(known) : std::nullopt;
}

/// Ports in turn, and for each all addresses: a port just given up is the last to be had again.
std::optional<HostPort> AddressTranslation::free_port(std::size_t pool, bool v4) {
  const NatSettings::Pool& from = settings_.pools[pool];
  if (from.last_port < from.first_port) return std::nullopt;
  const std::uint32_t ports = std::uint32_t{from.last_port} - from.first_port + 1;
  const auto space = static_cast<std::uint32_t>(ports * from.outside.size());
  for (std::uint32_t tries = 0; tries < std::min(space, kMostTries); ++tries) {
    const std::uint32_t at = cursors_[pool];
    cursors_[pool] = (at + 1) % space;
    const HostPort outside{.address = from.outside[at / ports], .port = static_cast<std::uint16_t>(from.first_port + at % ports)};
    if (outside.address.is_v4() == v4 && !mappings_.contains(outside)) return outside;
    if (outside.address.is_v4() != v4) cursors_[pool] = (at / ports + 1) * ports % space;
  }
  return std::nullopt;
}

AddressTranslation::Mappings::iterator AddressTranslation::add(std::int64_t timeout_seconds, const HostPort& outside, const HostPort& inside, TimeNs now) {
  const auto mapping = mappings_.emplace(outside, Mapping{.inside = inside, .timeout_seconds = timeout_seconds}).first;
  by_inside_.emplace(inside, outside);
  schedule(mapping, now + timeout_seconds * kSecond / 2);
  order(MappingOrder::What::kInstall, mapping);
  return mapping;
}

void AddressTranslation::order(MappingOrder::What what, Mappings::const_iterator mapping) {
  orders_.push_back({.what = what, .outside = mapping->first, .inside = mapping->second.inside, .timeout_seconds = mapping->second.timeout_seconds});
}

void AddressTranslation::schedule(Mappings::iterator mapping, TimeNs due) {
  schedule_.erase({mapping->second.due, mapping->first});
  mapping->second.due = due;
  schedule_.emplace(due, mapping->first);
}

bool AddressTranslation::knows(std::uint64_t connection, std::uint8_t host, std::uint8_t address_id, const HostPort& offered) const {
  const auto offer = offers_.find({.connection = connection, .host = host, .address_id = address_id});
  return offer != offers_.end() && offer->second.address == offered.address && offer->second.port.value_or(0) == offered.port;
}

std::optional<AddressTranslation::Original> AddressTranslation::original(std::uint64_t connection, std::uint8_t host, std::uint8_t address_id,
                                                                         const HostPort& told) const {
  const auto offer = offers_.find({.connection = connection, .host = host, .address_id = address_id});
  if (offer == offers_.end() || offer->second.told != told) return std::nullopt;
  return Original{.address = offer->second.address, .port = offer->second.port};
}

AddressTranslation::Offers::iterator AddressTranslation::forget(Offers::iterator offer, TimeNs now) {
  if (const auto& outside = offer->second.mapping) {
    const auto mapping = mappings_.find(*outside);
    if (mapping != mappings_.end() && --mapping->second.users == 0) schedule(mapping, now + kLingerSeconds * kSecond);
  }
  return offers_.erase(offer);
}

void AddressTranslation::withdraw(std::uint64_t connection, std::uint8_t host, std::span<const std::byte> address_ids, TimeNs now) {
  for (const std::byte id : address_ids) {
    const auto offer = offers_.find({.connection = connection, .host = host, .address_id = std::to_integer<std::uint8_t>(id)});
    if (offer != offers_.end()) forget(offer, now);
  }
}

void AddressTranslation::end(std::uint64_t connection, TimeNs now) {
  auto offer = offers_.lower_bound({.connection = connection});
  while (offer != offers_.end() && offer->first.connection == connection) offer = forget(offer, now);
}

std::vector<MappingOrder> AddressTranslation::take_orders(TimeNs now) {
  while (!schedule_.empty() && schedule_.begin()->first <= now) {
    const auto mapping = mappings_.find(schedule_.begin()->second);
    if (mapping->second.users > 0) {
      schedule(mapping, now + mapping->second.timeout_seconds * kSecond / 2);
      order(MappingOrder::What::kInstall, mapping);
      continue;
    }
    order(MappingOrder::What::kRemove, mapping);
    schedule_.erase(schedule_.begin());
    const auto [first, last] = by_inside_.equal_range(mapping->second.inside);
    by_inside_.erase(std::find_if(first, last, [&](const auto& pair) { return pair.second == mapping->first; }));
    mappings_.erase(mapping);
  }
  return std::exchange(orders_, {});
}

std::optional<TimeNs> AddressTranslation::next_deadline() const {
  if (schedule_.empty()) return std::nullopt;
  return schedule_.begin()->first;
}

}  // namespace weir::rewrite
