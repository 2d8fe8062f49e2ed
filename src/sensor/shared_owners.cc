#include "sensor/shared_owners.h"

namespace weir::sensor {

SharedOwners::SharedOwners(const OwnerLimits& limits) : plain_syns_(limits.plain_syns) {
  const std::size_t most[engine::kOwnerSpaces] = {limits.flows, limits.tokens, limits.openers};
  for (std::size_t space = 0; space < engine::kOwnerSpaces; ++space) {
    for (auto& stripe : stripes_[space]) stripe = std::make_unique<Stripe>(most[space] / kStripes);
  }
}

/// By bits that the tables' own hash does not begin with; tokens and sequence numbers have only the lower 32.
SharedOwners::Stripe& SharedOwners::stripe(engine::OwnerSpace space, std::uint64_t key) {
  return *stripes_[static_cast<std::size_t>(space)][(key * 0x9e3779b97f4a7c15U) >> 58U];
}

std::optional<engine::Owner> SharedOwners::find(engine::OwnerSpace space, std::uint64_t key) {
  Stripe& s = stripe(space, key);
  const std::scoped_lock lock(s.mutex);
  return s.table.find(key);
}

engine::Owner SharedOwners::claim(engine::OwnerSpace space, std::uint64_t key, engine::ShardId shard, bool mark) {
  Stripe& s = stripe(space, key);
  const std::scoped_lock lock(s.mutex);
  return s.table.claim(key, shard, mark);
}

void SharedOwners::assign(engine::OwnerSpace space, std::uint64_t key, engine::ShardId shard) {
  Stripe& s = stripe(space, key);
  const std::scoped_lock lock(s.mutex);
  s.table.assign(key, shard);
}

void SharedOwners::forget(engine::OwnerSpace space, std::uint64_t key, engine::ShardId shard) {
  Stripe& s = stripe(space, key);
  const std::scoped_lock lock(s.mutex);
  s.table.forget(key, shard);
}

void SharedOwners::keep_plain_syn(std::uint64_t opener, const RawPacket& packet) {
  const std::scoped_lock lock(plain_syns_mutex_);
  plain_syns_.keep(opener, packet);
}

std::vector<engine::KeptPacket> SharedOwners::take_plain_syns(std::uint64_t opener) {
  const std::scoped_lock lock(plain_syns_mutex_);
  return plain_syns_.take(opener);
}

void SharedOwners::renew(engine::OwnerSpace space) {
  for (auto& s : stripes_[static_cast<std::size_t>(space)]) {
    const std::scoped_lock lock(s->mutex);
    s->table.renew();
  }
}

std::uint64_t SharedOwners::evicted() {
  std::uint64_t sum = 0;
  for (auto& space : stripes_) {
    for (auto& s : space) {
      const std::scoped_lock lock(s->mutex);
      sum += s->table.evicted();
    }
  }
  return sum;
}

}  // namespace weir::sensor
