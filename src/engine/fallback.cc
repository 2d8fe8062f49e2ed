// Back to plain TCP (RFC 8684 §3.7): when, why, and where the plain bytes go on.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

using reassemble::Consumed;
using reassemble::DataReceiver;

/// Whether `f` is the only subflow that can carry data: no other has completed its handshake and is still there.
bool Engine::State::only_subflow(const Connection& c, const Subflow& f) const {
  return std::ranges::none_of(c.subflows, [&](const Subflow* g) { return g != &f && g->was_established && (g->live() || g->phase == Phase::kClosed); });
}

void Engine::State::fall_back(Connection& c, FallbackReason reason, TimeNs now) {
  if (c.fallback == FallbackReason::kNone && !c.refused) c.fallback = reason;
  release_hold(c, now);  // no key is waited for any more
  if (!settings.inline_mode) return;
  for (Subflow* f : c.subflows) {
    for (auto& rx : f->rx) rx.forget_mappings();
  }
}

/// From position `at` on the subflow's bytes follow each other, beginning where the mapped ones end.
void Engine::State::follow_plainly(Subflow& f, Side side, std::uint64_t at) {
  if (f.rx[side].fallen_back()) return;
  Connection& c = *f.connection;
  auto& data = c.mp->data[index(f.direction(side))];
  if (!data.has_origin()) data.set_origin(DataReceiver::kFirst);
  std::uint64_t end_of_mapped = data.started() || data.top() != 0 ? std::max(data.top(), DataReceiver::kFirst) : DataReceiver::kFirst;
  if (settings.inline_mode && data.started()) end_of_mapped = data.next();  // all that passed is known here
  f.rx[side].fall_back(at, data.dsn(end_of_mapped));
}

// First data without a mapping, or, while nothing else can carry it, any: Linux falls back as long as no other subflow has joined.
// On one subflow of several it is an error of that subflow (RFC 8684 §3.3, §3.7).
void Engine::State::on_unmapped(Subflow& f, Side side, Consumed& piece, TimeNs now, PointId) {
  Connection& c = *f.connection;
  const bool first_data = !f.rx[side].mapped_once();
  if (c.mp->orphan || (f.midstream && !f.anchored[side])) {
    counters.dropped_unmapped_bytes += piece.size;
    return;
  }
  if (!c.fallen_back()) {
    const bool joined_once = std::ranges::any_of(c.subflows, [&](const Subflow* g) { return g != &f && g->was_established; });
    if (f.join || joined_once || (c.midstream && first_data)) {
      raise(c, inspect::Event::data_unmapped, now, {{"subflow", static_cast<std::uint64_t>(f.id)}, {"bytes", static_cast<std::uint64_t>(piece.size)}});
      counters.dropped_unmapped_bytes += piece.size;
      return;
    }
    if (!first_data)
      raise(c, inspect::Event::data_unmapped, now, {{"subflow", static_cast<std::uint64_t>(f.id)}, {"bytes", static_cast<std::uint64_t>(piece.size)}});
    fall_back(c, FallbackReason::kNoDss, now);
  }
  follow_plainly(f, side, piece.position);
  piece.kind = Consumed::Kind::kMapped;
  piece.dsn = f.rx[side].plain_dsn(piece.position);
  pass_mapped(f, side, piece, now);
}

// THREATS.md, rule 3: the subflow is reset and its bytes are dropped; on the only subflow, MP_FAIL, fallback, and they are delivered.
void Engine::State::on_bad_checksum(Subflow& f, Side side, Consumed& piece, TimeNs now, PointId) {
  Connection& c = *f.connection;
  const bool others_live = std::ranges::any_of(c.subflows, [&](const Subflow* g) { return g != &f && g->live(); });
  // Inline, what was let pass of the mapping stands: its receiver may not look at checksums. It falls back if plain TCP agrees with all that passed.
  const bool stands = settings.inline_mode && (joined_once(c) || apart_from_plain(f, side, piece));
  if (others_live || stands) {
    counters.dropped_checksum_bytes += piece.size;
    refuse(Refusal::kDssChecksum);
    end_subflow(f, Phase::kReset);
    f.silent = true;
    f.bad_checksum = true;
    return;
  }
  fall_back(c, FallbackReason::kMpFail, now);
  follow_plainly(f, side, piece.position);
  piece.kind = Consumed::Kind::kMapped;
  if (settings.inline_mode) piece.dsn = f.rx[side].plain_dsn(piece.position);
  pass_mapped(f, side, piece, now);
}

/// Whether a subflow has ever joined: Linux falls back no more.
bool Engine::State::joined_once(const Connection& c) {
  return std::ranges::any_of(c.subflows, [](const Subflow* f) { return f->join && f->was_established; });
}

/// Whether the piece, or what passed before it, stands elsewhere than plain TCP would have it.
bool Engine::State::apart_from_plain(const Subflow& f, Side side, const Consumed& piece) {
  const Connection& c = *f.connection;
  const std::size_t d = index(f.direction(side));
  if (c.midstream || (c.guard && (c.guard->apart[d] || c.guard->resumed))) return true;
  return c.mp->data[d].has_origin() && piece.dsn - piece.position != plain_delta(c, f, side);
}

}  // namespace weir::engine
