#include "inspect/inventory.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace weir::inspect {

namespace {

/// Linux's ephemeral ports begin here (net.ipv4.ip_local_port_range), others' higher.
constexpr std::uint16_t kFirstEphemeralPort = 32'768;

InventoryKey client_of(const Endpoints& e) { return {.address = e.src, .role = InventoryRole::kClient, .port = 0}; }
InventoryKey server_of(const Endpoints& e) { return {.address = e.dst, .role = InventoryRole::kServer, .port = e.dst_port}; }

/// The entry goes in once all that the use says of it is in it.
InventoryNews& tell(Inventory::News& news, InventoryNews::What what, const InventoryEntry& entry) {
  InventoryNews& added = news.emplace_back();
  added.what = what;
  added.entry.key = entry.key;
  return added;
}

}  // namespace

std::size_t Inventory::KeyHash::operator()(const InventoryKey& key) const {
  const std::string_view octets(reinterpret_cast<const char*>(key.address.octets.data()), key.address.octets.size());
  const std::size_t rest = static_cast<std::size_t>(key.port) << 1U | static_cast<std::size_t>(key.role);
  return std::hash<std::string_view>{}(octets) ^ (rest + 1) * 0x9e3779b97f4a7c15ULL;
}

InventoryEntry* Inventory::find(const InventoryKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return &*found->second;
}

std::optional<bool> Inventory::speaks(const InventoryKey& key) const {
  if (!local_(key.address)) return std::nullopt;
  const auto found = entries_.find(key);
  return found != entries_.end() && found->second->speaks;
}

InventoryEntry& Inventory::at(const InventoryKey& key, TimeNs now) {
  if (InventoryEntry* known = find(key)) return *known;
  if (entries_.size() >= most_) {
    entries_.erase(order_.back().key);
    order_.pop_back();
    ++evicted_;
  }
  InventoryEntry& entry = order_.emplace_front();
  entry.key = key;
  entry.first_ns = entry.last_ns = now;
  entries_[key] = order_.begin();
  return entry;
}

/// `key`, if it is local, was seen to speak that version: told if that is new.
void Inventory::spoke(const InventoryKey& key, std::optional<std::uint8_t> version, TimeNs now, News& news, InventoryEntry*& entry) {
  entry = nullptr;
  if (!local_(key.address)) return;
  entry = &at(key, now);
  const auto bit = static_cast<std::uint8_t>(version && *version < 8 ? 1U << *version : 0U);
  const bool new_version = (entry->versions & bit) != bit;
  entry->versions |= bit;
  if (!entry->speaks) {
    entry->speaks = true;
    entry->first_ns = entry->last_ns = now;  // until now it refused, or is new
    tell(news, InventoryNews::What::kSpeaker, *entry).version = version;
  } else if (new_version) {
    tell(news, InventoryNews::What::kVersion, *entry).version = version;
  }
  entry->last_ns = std::max(entry->last_ns, now);
}

void Inventory::add_address(InventoryEntry& entry, InventoryAddress address, News& news) {
  if (address.port == entry.key.port) address.port = 0;
  if (address.address == entry.key.address && address.port == 0) return;
  const auto known = std::ranges::find_if(entry.addresses, [&](const auto& each) { return each.address == address.address && each.port == address.port; });
  if (known != entry.addresses.end()) {
    known->offered |= address.offered;
    known->authentic |= address.authentic;
    known->used |= address.used;
    return;
  }
  if (entry.addresses.size() >= kMostAddresses) {
    ++addresses_left_out_;
    return;
  }
  entry.addresses.push_back(address);
  tell(news, InventoryNews::What::kAddress, entry).address = address;
}

Inventory::News Inventory::take(const MptcpUse& use) {
  using enum MptcpUse::What;
  News news;
  const InventoryKey client = client_of(use.connection), server = server_of(use.connection);
  const auto both = [&](auto&& change) {
    for (const InventoryKey& key : {client, server}) {
      if (InventoryEntry* known = find(key)) change(*known);
    }
  };
  const auto count = [](InventoryEntry* entry, std::uint64_t InventoryEntry::* counter) {
    if (entry != nullptr) ++(entry->*counter);
  };
  InventoryEntry* entry = nullptr;
  switch (use.what) {
    case kSeen:
      if (use.connection.dst_port >= kFirstEphemeralPort || use.connection.src_port < kFirstEphemeralPort) {
        ++roles_unknown_;
        break;
      }
      [[fallthrough]];
    case kAgreed:
      if (use.completed) {
        spoke(client, use.offered, use.time_ns, news, entry);
        count(entry, &InventoryEntry::agreed);
      }
      spoke(server, use.answered, use.time_ns, news, entry);
      count(entry, &InventoryEntry::agreed);
      both([](InventoryEntry& each) { each.most_subflows = std::max(each.most_subflows, 1U); });
      break;
    case kRefused:
      spoke(client, use.offered, use.time_ns, news, entry);
      count(entry, &InventoryEntry::refused);
      break;
    case kRefuses:
      if (local_(server.address)) {
        InventoryEntry& refuses = at(server, use.time_ns);
        if (!refuses.speaks) refuses.last_ns = std::max(refuses.last_ns, use.time_ns);
        ++refuses.refused;
      }
      break;
    case kUnanswered:
      // The source of a SYN may be forged: it makes no entry.
      if (InventoryEntry* known = find(client)) ++known->unanswered;
      break;
    case kSubflow:
      both([&](InventoryEntry& each) {
        each.most_subflows = std::max(each.most_subflows, use.subflows);
        const bool at_client = each.key.role == InventoryRole::kClient;
        // The port of whoever opened it says nothing.
        const bool tells = !at_client && (use.subflow.dst_port < kFirstEphemeralPort || use.subflow.dst_port == each.key.port);
        add_address(each,
                    {.address = at_client ? use.subflow.src : use.subflow.dst,
                     .port = tells ? use.subflow.dst_port : std::uint16_t{0},
                     .offered = false,
                     .authentic = false,
                     .used = true},
                    news);
      });
      break;
    case kAddress:
      if (InventoryEntry* known = find(use.by_server ? server : client))
        add_address(*known, {.address = use.address, .port = use.port.value_or(0), .offered = true, .authentic = use.authentic, .used = false}, news);
      break;
    case kFallback:
      both([](InventoryEntry& each) { ++each.fallback; });
      break;
  }
  for (InventoryNews& each : news) {
    if (const auto found = entries_.find(each.entry.key); found != entries_.end()) each.entry = *found->second;
  }
  return news;
}

void Inventory::restore(std::vector<InventoryEntry> entries) {
  std::ranges::stable_sort(entries, std::greater{}, &InventoryEntry::last_ns);
  for (InventoryEntry& entry : entries) {
    if (entries_.size() >= most_ || entries_.contains(entry.key)) continue;
    const InventoryKey key = entry.key;
    entries_[key] = order_.insert(order_.end(), std::move(entry));
  }
}

std::vector<InventoryEntry> Inventory::entries() const {
  std::vector<InventoryEntry> all(order_.begin(), order_.end());
  std::ranges::sort(all, {}, &InventoryEntry::key);
  return all;
}

}  // namespace weir::inspect
