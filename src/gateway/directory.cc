#include "gateway/directory.h"

namespace weir::gateway {

Directory::Directory(const DirectoryLimits& limits) {
  for (auto& each : tokens_) each = std::make_unique<Stripe>(limits.tokens / kStripes);
  for (auto& each : flows_) each = std::make_unique<Stripe>(limits.flows / kStripes);
  for (auto& each : joins_) each = std::make_unique<Stripe>(limits.joins / kStripes);
}

/// By bits that the tables' own hash does not begin with; tokens have only the lower 32.
Directory::Stripe& Directory::stripe(Space& space, std::uint64_t key) { return *space[(key * 0x9e3779b97f4a7c15U) >> 58U]; }

std::optional<unsigned> Directory::find(Space& space, std::uint64_t key) {
  Stripe& s = stripe(space, key);
  const std::scoped_lock lock(s.mutex);
  const auto owner = s.table.find(key);
  return owner ? std::optional<unsigned>(owner->shard) : std::nullopt;
}

void Directory::claim(Space& space, std::uint64_t key, unsigned shard) {
  Stripe& s = stripe(space, key);
  const std::scoped_lock lock(s.mutex);
  s.table.claim(key, static_cast<engine::ShardId>(shard), false);
}

void Directory::assign_flow(std::uint64_t hash, unsigned shard) {
  Stripe& s = stripe(flows_, hash);
  const std::scoped_lock lock(s.mutex);
  s.table.assign(hash, static_cast<engine::ShardId>(shard));
}

void Directory::expect_answer(std::uint64_t hash, unsigned shard) {
  Stripe& s = stripe(joins_, hash);
  const std::scoped_lock lock(s.mutex);
  s.table.assign(hash, static_cast<engine::ShardId>(shard));
}

std::optional<unsigned> Directory::take_answer(std::uint64_t hash) {
  Stripe& s = stripe(joins_, hash);
  const std::scoped_lock lock(s.mutex);
  const auto owner = s.table.find(hash);
  if (!owner) return std::nullopt;
  s.table.forget(hash, owner->shard);
  return owner->shard;
}

void Directory::forget(Space& space, std::uint64_t key, unsigned shard) {
  Stripe& s = stripe(space, key);
  const std::scoped_lock lock(s.mutex);
  s.table.forget(key, static_cast<engine::ShardId>(shard));
}

std::size_t Directory::size(Space& space) {
  std::size_t sum = 0;
  for (auto& s : space) {
    const std::scoped_lock lock(s->mutex);
    sum += s->table.size();
  }
  return sum;
}

std::uint64_t Directory::evicted() {
  std::uint64_t sum = 0;
  for (Space* const space : {&tokens_, &flows_}) {
    for (auto& s : *space) {
      const std::scoped_lock lock(s->mutex);
      sum += s->table.evicted();
    }
  }
  return sum;
}

}  // namespace weir::gateway
