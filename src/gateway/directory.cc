#include "gateway/directory.h"

namespace weir::gateway {
namespace {

/// As long as servers send a SYN/ACK again; a client sends its SYN again as often, and each that passes begins this anew.
constexpr TimeNs kAnsweredWithin = 60'000'000'000;

bool is_awaited(const UnansweredJoin& join, TimeNs now) { return now - join.time_ns < kAnsweredWithin; }

}  // namespace

Directory::Directory(const DirectoryLimits& limits) {
  for (auto& each : tokens_) each = std::make_unique<Stripe>(limits.tokens / kStripes);
  for (auto& each : flows_) each = std::make_unique<Stripe>(limits.flows / kStripes);
  for (auto& each : joins_) each = std::make_unique<Joins>(limits.joins / kStripes);
}

/// By bits that the tables' own hash does not begin with; tokens have only the lower 32.
std::size_t Directory::place(std::uint64_t key) { return (key * 0x9e3779b97f4a7c15U) >> 58U; }

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

void Directory::expect_answer(std::uint64_t hash, const UnansweredJoin& join) {
  Joins& s = joins(hash);
  const std::scoped_lock lock(s.mutex);
  s.table.put(hash, join, [&](const UnansweredJoin& gone) { return is_awaited(gone, join.time_ns); });
}

std::optional<unsigned> Directory::shard_of_answer(std::uint64_t hash, std::uint32_t ack, TimeNs now) {
  Joins& s = joins(hash);
  const std::scoped_lock lock(s.mutex);
  const UnansweredJoin* const join = s.table.find(hash);
  // Data in a SYN is refused: its number is all that there is to acknowledge.
  if (join == nullptr || ack != join->isn + 1 || !is_awaited(*join, now)) return std::nullopt;
  return join->shard;
}

void Directory::forget_answer(std::uint64_t hash) {
  Joins& s = joins(hash);
  const std::scoped_lock lock(s.mutex);
  s.table.erase(hash);
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
  for (auto& s : joins_) {
    const std::scoped_lock lock(s->mutex);
    sum += s->table.evicted();
  }
  return sum;
}

}  // namespace weir::gateway
