// AddressTranslation as octets and back: magic, mappings, offers. Numbers are big-endian, addresses 16 octets.
#include "rewrite/address_translation.h"

namespace weir::rewrite {
namespace {

constexpr std::uint32_t kMagic = 0x574e5431;  // "WNT1"
constexpr std::size_t kHostPort = 16 + 2;
constexpr std::size_t kMappingRecord = 2 * kHostPort;
constexpr std::size_t kOfferRecord = 8 + 1 + 1 + 16 + 1 + 2 + kHostPort + 1 + kHostPort;

void write(ByteWriter& out, const HostPort& value) {
  out.bytes(std::as_bytes(std::span(value.address.octets)));
  out.u16(value.port);
}

HostPort read_host_port(ByteReader& in) {
  HostPort value;
  if (const auto address = in.take<16>()) value.address.set_v6(*address);
  value.port = in.u16();
  return value;
}

}  // namespace

std::vector<std::byte> AddressTranslation::save() const {
  std::vector<std::byte> saved(12 + mappings_.size() * kMappingRecord + offers_.size() * kOfferRecord);
  ByteWriter out(saved);
  out.u32(kMagic);
  out.u32(static_cast<std::uint32_t>(mappings_.size()));
  out.u32(static_cast<std::uint32_t>(offers_.size()));
  for (const auto& [outside, mapping] : mappings_) {
    write(out, outside);
    write(out, mapping.inside);
  }
  for (const auto& [key, told] : offers_) {
    out.u64(key.connection);
    out.u8(key.host);
    out.u8(key.address_id);
    write(out, {.address = told.address, .port = told.port.value_or(0)});
    out.u8(told.port ? 1 : 0);
    write(out, told.told);
    out.u8(told.mapping ? 1 : 0);
    write(out, told.mapping.value_or(HostPort{}));
  }
  return saved;
}

bool AddressTranslation::restore(Bytes saved, TimeNs now) {
  ByteReader in(saved);
  if (in.u32() != kMagic || !offers_.empty() || !mappings_.empty()) return false;
  const std::size_t mappings = in.u32();
  const std::size_t offers = in.u32();
  if (!in.ok() || in.remaining() != mappings * kMappingRecord + offers * kOfferRecord) return false;
  for (std::size_t i = 0; i < mappings; ++i) {
    const HostPort outside = read_host_port(in);
    const HostPort inside = read_host_port(in);
    const NatSettings::Pool* pool = pool_of(outside);
    const bool fits = pool != nullptr && settings_.is_inside(inside.address) && inside.address.is_v4() == outside.address.is_v4();
    if (!fits || is_full() || mappings_.contains(outside)) continue;
    // Until an offer stands for it, it lingers only.
    schedule(add(pool->timeout_seconds, outside, inside, now), now + kLingerSeconds * 1'000'000'000);
  }
  for (std::size_t i = 0; i < offers; ++i) {
    OfferKey key{.connection = in.u64()};
    key.host = in.u8();
    key.address_id = in.u8();
    Told told;
    const HostPort offered = read_host_port(in);
    told.address = offered.address;
    if (in.u8() != 0) told.port = offered.port;
    told.told = read_host_port(in);
    const bool mapped = in.u8() != 0;
    const HostPort mapping = read_host_port(in);
    if (offers_.contains(key) || offers_of(key.connection) >= kMostOffers) continue;
    if (mapped) {
      const auto known = mappings_.find(mapping);
      if (known == mappings_.end() || known->second.inside.address != told.address || told.told.address != mapping.address) continue;
      ++known->second.users;
      told.mapping = mapping;
    } else {
      const auto fixed = settings_.fixed.find(told.address);
      if (fixed == settings_.fixed.end() || fixed->second != told.told.address) continue;
    }
    offers_.emplace(key, told);
  }
  return true;
}

}  // namespace weir::rewrite
