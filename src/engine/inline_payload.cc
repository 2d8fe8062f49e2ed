// Inline: whether a segment's payload may pass (DESIGN.md, mechanism 4). All is looked at before anything is taken in, so that what is refused
// leaves no trace; what passes is kept until it is acknowledged.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {
namespace {

constexpr std::int64_t kBeyondMemory = 8;  ///< the part of memory_bytes that may be used beyond it by what comes next

}  // namespace

using reassemble::DataReceiver;
using reassemble::Mapping;
using reassemble::PassedBytes;

ConnectionGuard& Engine::State::guard(Connection& c) {
  if (!c.guard) c.guard = std::make_unique<ConnectionGuard>();
  return *c.guard;
}

SubflowGuard& Engine::State::guard(Subflow& f) {
  if (!f.guard) f.guard = std::make_unique<SubflowGuard>();
  return *f.guard;
}

std::uint64_t Engine::State::passed_of(const Connection& c) {
  std::uint64_t sum = 0;
  if (c.guard) sum += c.guard->passed[0].memory_bytes() + c.guard->passed[1].memory_bytes();
  for (const Subflow* f : c.subflows) {
    if (f->guard) sum += f->guard->passed[0].memory_bytes() + f->guard->passed[1].memory_bytes();
  }
  return sum;
}

/// Whether it is taken for its sender's key, should it pass.
bool Engine::State::brings_key(const Subflow& f, Side side, const SegmentOptions& options) {
  return side == kOpener && !f.join && options.capable && options.capable->sender_key;
}

/// What mapping_of() would give, and nothing changed.
Engine::State::SeenMapping Engine::State::seen_mapping(const Subflow& f, Side side, std::uint64_t at, const SegmentOptions& options) const {
  const Connection& c = *f.connection;
  const auto& data = c.mp->data[index(f.direction(side))];
  SeenMapping seen;
  if (options.dss && options.dss->mapping) {
    const auto& m = *options.dss->mapping;
    seen.infinite = m.length == 0;
    const std::uint32_t length = options.dss->data_fin && m.length != 0 ? m.length - 1U : m.length;
    if (length == 0) return seen;
    Mapping mapping;
    mapping.dsn = m.wide || !data.has_origin() ? m.dsn : extend(static_cast<std::uint32_t>(m.dsn), DataSeq{data.dsn(data.here())}).value;
    mapping.position = f.ssn_base(side) + unwrap(m.ssn, at - f.ssn_base(side));
    mapping.length = length;
    if (c.mp->checksum) mapping.checksum = m.checksum;
    seen.mapping = mapping;
  } else if (options.capable && options.capable->data_level_length && *options.capable->data_level_length != 0 &&
             (c.mp->has_key[f.host(side)] || brings_key(f, side, options))) {
    Mapping mapping;
    mapping.dsn = data.dsn(DataReceiver::kFirst);
    mapping.position = f.ssn_base(side) + 1;
    mapping.length = *options.capable->data_level_length;
    if (c.mp->checksum) mapping.checksum = options.capable->checksum;
    seen.mapping = mapping;
  }
  return seen;
}

/// Whether the receiver of that direction can still leave MPTCP without a word: it has not shown yet that another subflow has joined.
bool Engine::State::may_fall_back(const Connection& c, Direction d) {
  return std::ranges::none_of(c.subflows, [&](const Subflow* g) { return g->join && g->spoke[g->direction(kOpener) == d ? kAnswerer : kOpener]; });
}

/// Whether all of it passed before and waits, or was acknowledged: it tells nothing new.
bool Engine::State::passed_before(const Subflow& f, Side side, const Segment& s, const PointView& v) const {
  if (!f.guard) return false;
  const std::uint64_t at = position(f, side, v, s.tcp->seq);
  const std::uint64_t from = std::max(at, f.rx[side].acked());
  return static_cast<std::int64_t>(at) >= 0 && f.guard->passed[side].covers(from, at + s.tcp->payload_bytes);
}

Refusal Engine::State::payload_refusal(Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options) {
  Connection& c = *f.connection;
  const wire::TcpSegment& tcp = *s.tcp;
  if (tcp.payload.size() != tcp.payload_bytes) return Refusal::kMalformed;
  if (f.phase < Phase::kEstablished && (f.join || f.phase == Phase::kSynSent)) return Refusal::kNotJoined;
  if (f.join && !f.midstream && !f.spoke[other(side)]) return Refusal::kNotJoined;  // RFC 8684 §3.2: no data before the fourth ACK
  const std::uint64_t at = position(f, side, v, tcp.seq);
  const std::uint64_t end = at + tcp.payload_bytes;
  if (static_cast<std::int64_t>(at) < 0) return Refusal::kWindow;
  if (f.fin_position[side] != 0 && end > f.fin_position[side]) return Refusal::kAfterEnd;
  if (c.mptcp() && c.fastclosed) return Refusal::kAfterEnd;
  // At the limit what comes next still passes, a little beyond it: it is what lets the rest be acknowledged, and so forgotten.
  const std::uint64_t memory = held_memory + passed_memory + tcp.payload_bytes;
  const bool memory_full = std::cmp_greater(memory, limits.memory_bytes);
  if (memory_full && (at > f.rx[side].next() || std::cmp_greater(memory, limits.memory_bytes + limits.memory_bytes / kBeyondMemory))) return Refusal::kMemory;
  if (const Refusal r = segment_refusal(f, side, at, tcp.payload); r != Refusal::kNone) return r;
  if (!c.mptcp()) return Refusal::kNone;
  const SeenMapping seen = seen_mapping(f, side, at, options);
  if (c.refused) return seen.mapping ? Refusal::kUnconfirmed : Refusal::kNone;
  if (!f.anchored[side]) {
    // Seen from its middle: where its SSNs begin is still to be found, and what does not tell that is not looked at before it passes.
    const auto* const m = options.dss && options.dss->mapping ? &*options.dss->mapping : nullptr;
    const bool whole = m != nullptr && m->length == tcp.payload_bytes + (options.dss->data_fin ? 1U : 0U);
    if (whole) return Refusal::kNone;
    judged.unseen_path = true;
    return settings.follow_unseen ? Refusal::kNone : Refusal::kUnmapped;
  }
  if (c.fallen_back()) return fallen_back_refusal(f, side, at, tcp.payload, seen);
  // The third ACK, without an option of MPTCP: its receiver falls back.
  if (!options.any && !f.join && side == kOpener && !f.third_ack_judged) return fallen_back_refusal(f, side, at, tcp.payload, seen);
  if (!c.midstream && !c.mp->has_key[f.host(side)] && !brings_key(f, side, options)) {
    // Its receiver has no key either: it takes what is plain by plain TCP, and what is mapped cannot be placed.
    return options.any || f.join ? Refusal::kUnconfirmed : fallen_back_refusal(f, side, at, tcp.payload, seen);
  }
  if (!seen.mapping) return unmapped_refusal(f, side, at, tcp.payload);
  if (const Refusal r = mapping_refusal(f, side, at, end, *seen.mapping); r != Refusal::kNone) return r;
  if (const auto& data = c.mp->data[index(f.direction(side))];
      memory_full && data.started() && static_cast<std::int64_t>(data.position(seen.mapping->delta() + at) - data.next()) > 0)
    return Refusal::kMemory;
  return data_refusal(f, side, at, tcp.payload, *seen.mapping);
}

/// No sequence number passes with two values; behind what is kept nothing passes that could not be compared.
Refusal Engine::State::segment_refusal(Subflow& f, Side side, std::uint64_t at, std::span<const std::byte> bytes) {
  const auto& rx = f.rx[side];
  const std::uint64_t end = at + bytes.size();
  if (f.guard && was_skipped(f.guard->skipped[side], at, end)) return Refusal::kSkipped;
  std::uint64_t from = std::max(at, rx.acked());
  if (from >= end || !f.guard) return from < std::min(end, rx.next()) && !f.connection->midstream ? Refusal::kCopiesFull : Refusal::kNone;
  SubflowGuard& kept = *f.guard;
  if (kept.passed[side].differs(from, bytes.subspan(from - at))) return Refusal::kSegmentConflict;
  from = std::max(from, kept.resumed_at[side]);
  const std::uint64_t old_end = std::min(end, rx.next());
  if (from < old_end && !kept.passed[side].covers(from, old_end)) return Refusal::kCopiesFull;
  // Full: what was acknowledged by DATA_ACK can do no more harm, so it goes first.
  auto& passed = kept.passed[side];
  const auto bound = static_cast<std::uint64_t>(limits.inline_copies_bytes);
  const auto is_full = [&] { return passed.held_bytes() + bytes.size() > bound || passed.entries() >= static_cast<std::size_t>(limits.reorder_pieces); };
  if (!is_full()) return Refusal::kNone;
  const Direction d = f.direction(side);
  while (is_full() && !passed.empty() && passed.first_mapping() && f.connection->mptcp() && f.connection->mp->data[index(d)].has_ack()) {
    const auto& data = f.connection->mp->data[index(d)];
    if (static_cast<std::int64_t>(data.position(passed.first_end() + passed.first_mapping()->delta()) - data.acked()) > 0) break;
    const std::uint64_t before = passed.held_bytes(), memory_before = passed.memory_bytes();
    passed.pop();
    passed_memory -= memory_before - passed.memory_bytes();
    counters.uncompared_bytes += before - passed.held_bytes();
  }
  return is_full() ? Refusal::kCopiesFull : Refusal::kNone;
}

/// The DSN that a position has, or would have, by plain TCP.
std::uint64_t Engine::State::plain_dsn(const Subflow& f, Side side, std::uint64_t at) {
  const auto& rx = f.rx[side];
  if (rx.fallen_back()) return rx.plain_dsn(at);
  const auto& data = f.connection->mp->data[index(f.direction(side))];
  return data.dsn(data.started() ? data.next() : DataReceiver::kFirst) + (at - rx.next());
}

/// After a fallback mappings say nothing: one that says otherwise than plain TCP may only mean that its receiver has not fallen back.
Refusal Engine::State::fallen_back_refusal(const Subflow& f, Side side, std::uint64_t at, std::span<const std::byte> bytes, const SeenMapping& seen) {
  if (f.join) return Refusal::kNotJoined;
  const std::size_t d = index(f.direction(side));
  const auto& data = f.connection->mp->data[d];
  const std::uint64_t end = at + bytes.size();
  if (data.has_fin() && static_cast<std::int64_t>(data.position(plain_dsn(f, side, end)) - data.fin_position()) > 0) return Refusal::kAfterEnd;
  if (seen.mapping && seen.mapping->delta() + at != plain_dsn(f, side, at)) return Refusal::kUnconfirmed;
  // What passed with a mapping, before, stands also where plain TCP comes to the same place.
  const std::uint64_t from = std::max(at, f.rx[side].next());
  if (from >= end || !f.connection->guard || !data.started()) return Refusal::kNone;
  const std::uint64_t begin = data.position(plain_dsn(f, side, from));
  const std::uint64_t old_end = std::min(begin + (end - from), data.next());
  const PassedBytes& passed = f.connection->guard->passed[d];
  if (passed.differs(begin, bytes.subspan(from - at))) return Refusal::kDsnConflict;
  return static_cast<std::int64_t>(old_end - begin) > 0 && !passed.covers(begin, old_end) ? Refusal::kDsnConflict : Refusal::kNone;
}

/// Data without a mapping makes its receiver fall back, if it is the first of all; anywhere else it is an error.
Refusal Engine::State::unmapped_refusal(const Subflow& f, Side side, std::uint64_t at, std::span<const std::byte> bytes) {
  const Connection& c = *f.connection;
  const auto& rx = f.rx[side];
  const bool first = !rx.mapped_once() && at == rx.next() && !rx.waiting();
  const bool falls_back = first && !f.join && !c.midstream && !joined_once(c) && !(c.guard && c.guard->resumed);
  return falls_back ? fallen_back_refusal(f, side, at, bytes, {}) : Refusal::kUnmapped;
}

/// What the mappings of a stream on one subflow say that plain TCP agrees with.
std::uint64_t Engine::State::plain_delta(const Connection& c, const Subflow& f, Side side) {
  return c.mp->data[index(f.direction(side))].dsn(DataReceiver::kFirst) - (reassemble::kFirstPosition + f.ssn_base(side));
}

Refusal Engine::State::mapping_refusal(Subflow& f, Side side, std::uint64_t at, std::uint64_t end, const Mapping& m) {
  if (m.end() <= at || m.position >= end) return Refusal::kMappingAhead;
  if (m.position > at || m.end() < end) return Refusal::kUnmapped;
  Connection& c = *f.connection;
  const auto& rx = f.rx[side];
  PassedBytes::Agreement agreement = f.guard ? f.guard->passed[side].agreement(m) : PassedBytes::Agreement::kApart;
  if (agreement == PassedBytes::Agreement::kContrary || rx.contradicts(m)) return Refusal::kMappingConflict;
  if (agreement == PassedBytes::Agreement::kApart && rx.maps_otherwise(m)) agreement = PassedBytes::Agreement::kParts;
  if (agreement == PassedBytes::Agreement::kParts && c.mp->checksum) return Refusal::kMappingConflict;
  if (c.midstream || !may_fall_back(c, f.direction(side)) || half_known(c)) return Refusal::kNone;
  ConnectionGuard& g = guard(c);
  const std::size_t d = index(f.direction(side));
  const auto& data = c.mp->data[d];
  const bool confirmed = data.has_ack() && data.acked() > DataReceiver::kFirst && data.acked() >= g.unconfirmed_until[d];
  const std::uint64_t delta = g.mapped[d] ? g.delta[d] : plain_delta(c, f, side);
  if (!confirmed && delta != m.delta()) return Refusal::kUnconfirmed;
  if (agreement != PassedBytes::Agreement::kParts) return Refusal::kNone;
  // Linux takes another mapping for what is mapped already as an error, though it agrees, and falls back (get_mapping_status): harmless as long as
  // plain TCP agrees with all that passed.
  if (g.apart[d] || g.resumed || m.delta() != plain_delta(c, f, side)) return Refusal::kUnconfirmed;
  g.unconfirmed_until[d] = std::max(g.unconfirmed_until[d], data.position(m.dsn + m.length));
  return Refusal::kNone;
}

/// Taken over from a process before this one, by a state that may be older than its last subflows: whether these are there, and what windows their ACKs have
/// opened, is not known. What would wait for that waits for ever, unless nothing unseen may be followed.
bool Engine::State::half_known(const Connection& c) const { return settings.follow_unseen && c.guard && c.guard->resumed; }

/// What the SYN offered stands, though a later window be smaller: scaling rounds.
std::uint64_t Engine::State::data_edge(const Connection& c, Direction d) {
  const Subflow& first = *c.subflows.front();
  const track::TcpView& receiver = first.home.side[first.direction(kOpener) == d ? kAnswerer : kOpener];
  const std::uint64_t edge = c.mp->data[index(d)].edge();
  return receiver.has_isn ? std::max(edge, DataReceiver::kFirst + receiver.syn_window) : edge;
}

/// No data sequence number passes with two values, none outside of the stream or its window.
Refusal Engine::State::data_refusal(Subflow& f, Side side, std::uint64_t at, std::span<const std::byte> bytes, const Mapping& m) {
  Connection& c = *f.connection;
  const Direction d = f.direction(side);
  const auto& data = c.mp->data[index(d)];
  if (!data.has_origin()) return Refusal::kNone;
  const std::uint64_t begin = data.position(m.delta() + at);
  const std::uint64_t end = begin + bytes.size();
  if (!c.midstream && static_cast<std::int64_t>(begin - (DataReceiver::kFirst - c.mp->syn_data(d))) < 0) return Refusal::kDataWindow;
  const std::uint64_t next = data.started() ? data.next() : DataReceiver::kFirst;
  if (c.midstream && static_cast<std::int64_t>(end - next) <= 0 && !data.has_ack()) return Refusal::kNone;
  if (data.has_fin() && end > data.fin_position()) return Refusal::kAfterEnd;
  const bool ahead = static_cast<std::int64_t>(begin - next) > 0;
  const bool beyond = data.has_edge() && ahead && static_cast<std::int64_t>(end - data_edge(c, d)) > 0;
  if (beyond && (!settings.follow_unseen || window_known(c))) return Refusal::kDataWindow;
  if (c.guard && was_skipped(c.guard->skipped[index(d)], begin, end)) return Refusal::kSkipped;
  ConnectionGuard& g = guard(c);
  std::uint64_t from = data.has_ack() ? std::max(begin, data.acked()) : begin;
  if (from >= end) return Refusal::kNone;
  const PassedBytes& passed = g.passed[index(d)];
  if (passed.differs(from, bytes.subspan(from - begin))) return Refusal::kDsnConflict;
  from = std::max(from, g.resumed_at[index(d)]);
  const std::uint64_t old_end = std::min(end, next);
  if (data.started() && !c.midstream && from < old_end && !passed.covers(from, old_end)) return Refusal::kDsnConflict;
  const bool full = passed.held_bytes() + bytes.size() > static_cast<std::uint64_t>(limits.inline_copies_bytes) ||
                    passed.entries() >= static_cast<std::size_t>(limits.reorder_pieces);
  return full && !passed.covers(from, end) ? Refusal::kCopiesFull : Refusal::kNone;
}

/// The payload passes: it is kept on both levels until it is acknowledged.
void Engine::State::keep_passed(Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options) {
  Connection& c = *f.connection;
  const wire::TcpSegment& tcp = *s.tcp;
  const std::uint64_t at = position(f, side, v, tcp.seq);
  const std::uint64_t end = at + tcp.payload_bytes;
  const std::uint64_t from = std::max(at, f.rx[side].acked());
  if (static_cast<std::int64_t>(at) < 0 || from >= end) return;
  const reassemble::PassedBlock block = reassemble::make_block(tcp.payload);
  const bool mapped = c.mptcp() && !c.refused && !c.fallen_back() && f.anchored[side];
  const std::optional<Mapping> mapping = mapped ? seen_mapping(f, side, at, options).mapping : std::nullopt;
  PassedBytes& kept = guard(f).passed[side];
  const std::uint64_t before = kept.memory_bytes();
  kept.add(at, tcp.payload_bytes, block, mapping);
  kept.acknowledged(f.rx[side].acked());
  passed_memory += kept.memory_bytes() - before;
  if (!mapping) return;
  ConnectionGuard& g = guard(c);
  const std::size_t d = index(f.direction(side));
  g.mapped[d] = true;
  g.delta[d] = mapping->delta();
  g.apart[d] |= mapping->delta() != plain_delta(c, f, side);
  PassedBytes& stream = g.passed[d];
  const auto& data = c.mp->data[d];
  const std::uint64_t begin = data.position(mapping->delta() + at);
  if (data.has_ack() && begin + tcp.payload_bytes <= data.acked()) return;
  const std::uint64_t held = stream.memory_bytes();
  stream.add(begin, tcp.payload_bytes, block, std::nullopt);
  passed_memory += stream.memory_bytes() - held;
}

/// What was acknowledged on the subflow, or by DATA_ACK, is kept no longer there.
void Engine::State::let_go(Subflow& f, Side side) {
  if (!f.guard) return;
  PassedBytes& kept = f.guard->passed[side];
  const std::uint64_t before = kept.memory_bytes();
  kept.acknowledged(f.rx[side].acked());
  passed_memory -= before - kept.memory_bytes();
}

void Engine::State::let_go(Connection& c, Direction d) {
  if (!c.guard || !c.mp->data[index(d)].has_ack()) return;
  PassedBytes& kept = c.guard->passed[index(d)];
  const std::uint64_t before = kept.memory_bytes();
  kept.acknowledged(c.mp->data[index(d)].acked());
  passed_memory -= before - kept.memory_bytes();
}

}  // namespace weir::engine
