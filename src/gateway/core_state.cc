// Core: what a later process needs to know of running connections, and how that process goes on with them.
#include <algorithm>
#include <utility>

#include "gateway/core.h"
#include "gateway/saved_decisions.h"

namespace weir::gateway {

std::vector<std::byte> Core::save() const {
  std::vector<SavedDecision> all;
  all.reserve(connections_.size());
  for (const auto& [number, c] : connections_) {
    all.push_back({.connection = number,
                   .decision = c.decision,
                   .client = c.client,
                   .client_port = c.client_port,
                   .server_port = c.server_port,
                   .counted = c.counted,
                   .blocked = c.blocked,
                   .unseen_told = c.unseen_told,
                   .offloaded = c.offloaded,
                   .has_offers = c.has_offers,
                   .kept_mark = c.kept_mark});
  }
  return write_decisions(all);
}

/// Limits go on from what was counted; how fast JOINs came before is forgotten. The hosts of a blocked connection are told of its end once more: whether they
/// knew is not known.
bool Core::restore(Bytes saved, TimeNs now) {
  const auto all = read_decisions(saved, settings_.most_restored);
  if (!all) return false;
  for (const SavedDecision& one : *all) {
    if (!engine_->keys(one.connection)) continue;  // over, or not taken over
    Connection& c = connection(one.connection);
    c.decision = one.decision;
    c.client = one.client;
    c.client_port = one.client_port;
    c.server_port = one.server_port;
    c.unseen_told = one.unseen_told;
    c.offloaded = one.offloaded;
    c.has_offers = one.has_offers;
    c.kept_mark = one.kept_mark;
    // No more than are there, whatever a damaged state says.
    const auto live = static_cast<std::uint32_t>(std::max<std::size_t>(engine_->endings(one.connection).size() / 2, 1));
    if (one.counted > 0) count_again(one.connection, c, std::min(one.counted, live), now);
    c.blocked = one.blocked;
    if (!c.blocked) continue;
    for (const Direction d : {Direction::kToServer, Direction::kToClient}) engine_->block(one.connection, d);
    auto endings = engine_->endings(one.connection);
    hold(endings);
    hold_half_open(one.connection);
    closing_.begin(one.connection, std::move(endings), c.kept_mark, now, closing_send());
  }
  return true;
}

}  // namespace weir::gateway
