// Bytes on their way: segment -> subflow order -> DSN order -> observer.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

constexpr TimeNs kSecondNs = 1'000'000'000;
using reassemble::Arrival;
using reassemble::Consumed;
using reassemble::DataReceiver;
using reassemble::Mapping;

}  // namespace

/// DSNs told so far of direction `d` move by `shift`.
void Engine::State::shift_dsn(std::span<Subflow* const> subflows, Direction d, std::uint64_t shift) {
  if (shift == 0) return;
  for (Subflow* f : subflows) {
    const Side side = f->direction(kOpener) == d ? kOpener : kAnswerer;
    f->rx[side].shift_dsn(shift);
    if (!f->extra) continue;
    for (Unanchored& piece : f->extra->unanchored[side]) piece.dsn += shift;
  }
}

void Engine::State::widen(Connection& c, Direction d, std::uint64_t near) { shift_dsn(c.subflows, d, c.mp->data[index(d)].widen(near)); }

/// A DSN as an option has it, 4 or 8 octets, in full (RFC 8684 §3.3.1). Of a stream without keys the first one may be told by its lower half only.
std::uint64_t Engine::State::full_dsn(Connection& c, Direction d, std::uint64_t value, bool wide) {
  auto& data = c.mp->data[index(d)];
  if (!data.has_origin()) data.set_origin(value, !wide);
  if (wide) {
    widen(c, d, value);
    return value;
  }
  return extend(static_cast<std::uint32_t>(value), DataSeq{data.dsn(data.here())}).value;
}

/// The position of a DSN at connection level. The first one seen of a stream without keys makes the origin.
std::uint64_t Engine::State::data_position(Connection& c, Direction d, std::uint64_t dsn) {
  auto& data = c.mp->data[index(d)];
  if (!data.has_origin()) data.set_origin(dsn);
  if (!c.keyed && !c.mp->has_key[index(d)]) index_dsn(c, d, dsn);
  return data.position(dsn);
}

/// The mapping that the segment carries, in positions: a DSS, or MP_CAPABLE with data (RFC 8684 §3.1, §3.3.1).
std::optional<Mapping> Engine::State::mapping_of(Subflow& f, Side side, const Segment& s, std::uint64_t at, const SegmentOptions& options) {
  Connection& c = *f.connection;
  auto& data = c.mp->data[index(f.direction(side))];
  if (options.dss && options.dss->mapping) {
    const auto& m = *options.dss->mapping;
    const bool fin = options.dss->data_fin;
    if (m.length == 0) {
      // Infinite mapping: from here on no mappings (RFC 8684 §3.7). Only where there is one subflow.
      if (!only_subflow(c, f) || (settings.inline_mode && joined_once(c))) return std::nullopt;
      const std::uint64_t dsn = full_dsn(c, f.direction(side), m.dsn, m.wide);
      if (!c.fallen_back()) fall_back(c, FallbackReason::kInfiniteMapping, s.time_ns);
      if (settings.inline_mode) return std::nullopt;  // Linux goes on where the mapped bytes end, whatever it says
      const std::uint64_t from = f.ssn_base(side) + unwrap(m.ssn, at - f.ssn_base(side));
      if (!f.rx[side].fallen_back()) f.rx[side].fall_back(from, dsn);
      return std::nullopt;
    }
    const std::uint32_t length = fin ? m.length - 1U : m.length;
    if (length == 0) return std::nullopt;
    Mapping mapping;
    mapping.dsn = full_dsn(c, f.direction(side), m.dsn, m.wide);
    mapping.position = f.ssn_base(side) + unwrap(m.ssn, at - f.ssn_base(side));
    mapping.length = length;
    mapping.ssn = m.ssn;
    mapping.wire_length = m.length;
    if (c.mp->checksum) mapping.checksum = m.checksum;
    return mapping;
  }
  if (options.capable && options.capable->data_level_length && *options.capable->data_level_length != 0 && c.mp->has_key[f.host(side)]) {
    Mapping mapping;
    mapping.dsn = data.dsn(DataReceiver::kFirst);
    mapping.position = f.ssn_base(side) + 1;
    mapping.length = mapping.wire_length = *options.capable->data_level_length;
    mapping.ssn = 1;
    if (c.mp->checksum) mapping.checksum = options.capable->checksum;
    return mapping;
  }
  return std::nullopt;
}

void Engine::State::on_payload(Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options, bool doubtful) {
  Connection& c = *f.connection;
  const wire::TcpSegment& tcp = *s.tcp;
  // A SYN takes a sequence number of its own: its data begin one after it.
  const std::uint64_t at = position(f, side, v, tcp.flags.syn() ? tcp.seq + 1 : tcp.seq);
  if (static_cast<std::int64_t>(at) < 0) return;  // before the connection began
  if (f.phase == Phase::kFailed || f.silent) {
    ++counters.ignored_not_joined;
    return;
  }
  Arrival in;
  in.position = at;
  in.bytes = tcp.payload;
  in.size = tcp.payload_bytes;
  in.stays = s.stays;
  in.time_ns = s.time_ns;
  in.doubtful = doubtful || (f.join && f.phase < Phase::kEstablished && !tcp.flags.syn());
  if (f.fin_position[side] != 0 && f.fin[side]) {
    if (at >= f.fin_position[side]) {
      ++counters.ignored_after_end;
      return;
    }
  }
  if (settings.several_points && in.size > in.bytes.size()) {
    // Another point may show what the snap length cut here.
    if (c.mptcp()) c.mp->more().cut_bytes[index(f.direction(side))] += in.size - in.bytes.size();
    in.size = static_cast<std::uint32_t>(in.bytes.size());
  }
  if (std::cmp_greater(held_memory, limits.memory_bytes) && !in.stays && in.position > f.rx[side].next()) {
    ++counters.dropped_memory;
    return;
  }
  f.gave_data = true;
  std::optional<Mapping> mapping;
  if (c.mptcp() && !(c.refused)) {
    if (!f.anchored[side] && options.dss && options.dss->mapping && options.dss->mapping->length != 0) {
      anchor(f, side, s, at, *options.dss);
    }
    if (!f.anchored[side] && !c.fallen_back()) return;
    if (f.anchored[side] && !(settings.inline_mode && c.fallen_back())) mapping = mapping_of(f, side, s, at, options);
    if (mapping && !c.keyed && options.dss && options.dss->mapping->wide) {
      link_by_dsn(f, side, mapping->dsn, s.time_ns);
    }
  }
  subflow_output.clear();
  f.rx[side].arrive(in, mapping ? &*mapping : nullptr, limits, subflow_output);
  pass_on(f, side, s.time_ns, s.point);
}

/// Hands on what a subflow direction gave, and says what was found on the way.
void Engine::State::pass_on(Subflow& f, Side side, TimeNs now, PointId point) {
  Connection& c = *f.connection;
  auto& out = subflow_output;
  if (out.segment_conflict) {
    if (c.mptcp()) {
      raise(c, inspect::Event::segment_overlap_conflict, now,
            {{"subflow", static_cast<std::uint64_t>(f.id)}, {"ssn", out.conflict_position - f.ssn_base(side)}});
    } else {
      raise_tcp(c, "stream.reassembly_overlap_different_data", now, 31);
    }
  }
  if (out.mapping_conflict) {
    raise(c, inspect::Event::mapping_conflict, now, {{"subflow", static_cast<std::uint64_t>(f.id)}, {"ssn", out.conflict_position - f.ssn_base(side)}});
  }
  if (out.checksum_failed) raise(c, inspect::Event::dss_checksum_mismatch, now, {{"subflow", static_cast<std::uint64_t>(f.id)}});
  counters.uncompared_bytes += out.uncompared_bytes;
  counters.dropped_mappings += out.mappings_refused;
  const bool over_limit = out.over_limit;
  auto consumed = std::move(out.consumed);
  for (Consumed& piece : consumed) {
    if (!c.mptcp()) {
      pass_plain(f, side, piece, now);
      continue;
    }
    if (f.silent || f.phase == Phase::kFailed) break;  // ended by what came before
    if (settings.inline_mode && c.fallen_back() && f.rx[side].fallen_back() && piece.kind == Consumed::Kind::kMapped) {
      piece.dsn = f.rx[side].plain_dsn(piece.position);  // fallen back at what came before
    }
    switch (piece.kind) {
      case Consumed::Kind::kMapped:
        pass_mapped(f, side, piece, now);
        break;
      case Consumed::Kind::kUnmapped:
        on_unmapped(f, side, piece, now, point);
        break;
      case Consumed::Kind::kBadChecksum:
        on_bad_checksum(f, side, piece, now, point);
        break;
    }
  }
  consumed.clear();
  out.consumed = std::move(consumed);  // its memory is used again
  if (over_limit && !settings.inline_mode) {
    ++counters.dropped_reorder;
    out.clear();
    if (f.rx[side].skip_gap(now, 0, true, limits, out)) pass_on(f, side, now, point);
  }
}

void Engine::State::pass_mapped(Subflow& f, Side side, Consumed& piece, TimeNs now) {
  Connection& c = *f.connection;
  if (c.fastclosed) {
    ++counters.ignored_after_end;
    return;
  }
  const Direction d = f.direction(side);
  auto& data = c.mp->data[index(d)];
  Arrival in;
  in.position = data_position(c, d, piece.dsn);
  in.bytes = piece.bytes;
  in.size = piece.size;
  in.subflow = f.id;
  in.stays = piece.stays;
  in.time_ns = now;
  in.doubtful = false;
  if (!c.held && !data.started()) start_stream(c, d, now);
  if (data.started() && !c.fallen_back()) {
    const std::uint64_t first = DataReceiver::kFirst - c.mp->syn_data(d);
    const bool before_first = !c.midstream && static_cast<std::int64_t>(in.position - first) < 0;
    // Linux drops what lies ahead and ends beyond the window it has told of (mptcp_data_queue_ofo); what is next in order it takes.
    const bool beyond = data.has_edge() && in.position > data.next() && in.position + in.size > data.edge();
    if (before_first) {
      raise(c, inspect::Event::dsn_out_of_window, now, {{"subflow", static_cast<std::uint64_t>(f.id)}, {"before_first_bytes", first - in.position}});
    }
    in.doubtful = beyond && !settings.inline_mode;
    // All of it waits already: what is new costs a copy that is bounded, what is not must cost none.
    if (settings.inline_mode && in.position > data.next() && data.waiting() && data.queue()->covered(in.position, in.position + in.size) == in.size) return;
  }
  data_output.clear();
  const std::uint64_t duplicates = data.duplicate_bytes();
  data.arrive(in, limits, data_output);
  const bool over_limit = data_output.over_limit;
  const bool seen_before = in.size != 0 && data.duplicate_bytes() - duplicates >= in.size;
  give(c, d, now);
  if (data.started() && in.position >= data.first()) tell_mapped(c, d, data.offset_of(in.position), in.size, f.id, seen_before, now);
  if (over_limit && !settings.inline_mode) {
    ++counters.dropped_reorder;
    if (c.held) {
      release_hold(c, now);
    } else {
      data_output.clear();
      if (data.skip_gap(now, 0, true, limits, data_output)) give(c, d, now);
    }
  }
}

/// Plain TCP: what is in order on the one subflow is the stream.
void Engine::State::pass_plain(Subflow& f, Side side, const Consumed& piece, TimeNs now) {
  Connection& c = *f.connection;
  const Direction d = f.direction(side);
  if (c.told_fin[index(d)]) {  // nothing follows a FIN
    ++counters.ignored_after_end;
    return;
  }
  PlainStream& stream = c.plain(d);
  if (!stream.started) {
    stream.started = true;
    // Positions begin at 1 after a SYN; seen from the middle, the first byte in order is the first.
    stream.start = f.has_isn[side] ? reassemble::kFirstPosition : piece.position;
    stream.next = stream.start;
    if (c.midstream) tell_handshake(c, Handshake::kMidstream, now);
  }
  const std::uint64_t missing = piece.position - stream.next + (piece.cut ? piece.size : 0);
  if (missing != 0) {
    if (stream.first_gap == ~0ULL) stream.first_gap = stream.next;
    stream.gap_bytes += missing;
    counters.gap_bytes += missing;
    tell_gap(c, d, stream.next - stream.start, missing, now);
  }
  if (!piece.cut) {
    tell_data(c, d, piece.position - stream.start, piece.bytes, f.id, now);
    tell_mapped(c, d, piece.position - stream.start, piece.size, f.id, false, now);
  }
  stream.next = piece.position + piece.size;
}

/// Begins to deliver a direction of an MPTCP connection.
void Engine::State::start_stream(Connection& c, Direction d, TimeNs now) {
  auto& data = c.mp->data[index(d)];
  if (data.started()) return;
  if (c.midstream || c.mp->orphan || !c.mp->has_key[index(d)]) {
    if (!c.told_established) tell_handshake(c, c.midstream || c.mp->orphan ? Handshake::kMidstream : Handshake::kEstablished, now);
  }
  data_output.clear();
  const bool beginning_known = !c.midstream && (c.mp->has_key[index(d)] || c.fallen_back());
  const std::uint64_t first = beginning_known ? DataReceiver::kFirst - c.mp->syn_data(d) : data.midstream_start();
  if (c.told_fin[index(d)]) data.end_at(first);  // a FIN of the time before it was known to be MPTCP: nothing follows it
  data.start(first, limits, data_output);
  if (!data_output.delivered.empty()) give(c, d, now);
}

/// Whether the receiver's MSS lets segments be larger than those that count as small, full option space allowed for.
bool Engine::State::larger_fits(const Connection& c, Direction d) const {
  constexpr std::uint32_t kOptionSpace = 40;
  return std::ranges::any_of(c.subflows, [&](const Subflow* f) {
    const Side receiver = f->direction(kOpener) == d ? kAnswerer : kOpener;
    const std::uint32_t mss = announced_mss(*f, receiver);
    return mss == 0 || mss > kOptionSpace + static_cast<std::uint32_t>(limits.fragmentation_octets);
  });
}

/// Tells what a direction of the connection gave.
void Engine::State::give(Connection& c, Direction d, TimeNs now) {
  auto& data = c.mp->data[index(d)];
  auto& out = data_output;
  if (out.conflict) raise(c, inspect::Event::dsn_overlap_conflict, now, {{"offset", out.conflict_offset}});
  if (out.out_of_window && !missed(c)) raise(c, inspect::Event::dsn_out_of_window, now, {{"window_end_offset", data.offset_of(data.edge())}});
  counters.uncompared_bytes += out.uncompared_bytes;
  for (const auto& piece : out.delivered) {
    if (piece.gap) {
      counters.gap_bytes += piece.size;
      note_excused(c, d, data.first() + piece.offset, data.first() + piece.offset + piece.size);
      tell_gap(c, d, piece.offset, piece.size, now);
      continue;
    }
    if (c.subflows.size() > 1) {
      if (c.mp->more().fragmentation[index(d)].add(piece.subflow, piece.size, static_cast<std::size_t>(limits.fragmentation_pieces),
                                                   static_cast<std::uint64_t>(limits.fragmentation_octets)) &&
          larger_fits(c, d)) {
        raise(c, inspect::Event::fragmented_across_subflows, now, {{"pieces", limits.fragmentation_pieces}, {"offset", piece.offset}});
      }
    }
    tell_data(c, d, piece.offset, piece.bytes, piece.subflow, now, piece.carried_ns);
  }
  out.clear();
  if (data.fin_reached() && !c.fallen_back()) {
    tell_fin(c, d, now);
    touch(c, now);
  }
}

/// Doubtful bytes of a subflow that the connection's receiver has acknowledged were taken, also if the subflow's own acknowledgement never came.
bool Engine::State::confirm_doubtful(Connection& c, Direction d, TimeNs now) {
  const auto& data = c.mp->data[index(d)];
  if (!data.has_ack() || c.fallen_back()) return false;
  bool any = false;
  for (Subflow* f : c.subflows) {
    const Side side = f->direction(kOpener) == d ? kOpener : kAnswerer;
    if (!f->rx[side].waiting() || f->phase == Phase::kFailed) continue;
    subflow_output.clear();
    if (!f->rx[side].confirmed(data.dsn(data.next()), data.dsn(data.acked()), now, limits, subflow_output)) continue;
    any = true;
    const bool silent = f->silent;
    f->silent = false;  // these came before its end
    pass_on(*f, side, now, f->home.point);
    f->silent = silent;
  }
  return any;
}

void Engine::State::skip_gaps(Subflow& f, TimeNs now) {
  Connection& c = *f.connection;
  // Inline, a gap is passed over only behind what its receiver has shown to have (followed_ack): at once, so that what follows is looked at.
  const TimeNs wait = settings.inline_mode ? 0 : (settings.several_points ? limits.gap_seconds : limits.gap_seconds_single) * kSecondNs;
  for (const Side side : {kOpener, kAnswerer}) {
    if (!f.rx[side].waiting()) continue;
    skip_gap(f, side, now, wait);
  }
  if (!c.mptcp() || c.held) return;
  for (const Direction d : {Direction::kToServer, Direction::kToClient}) {
    auto& data = c.mp->data[index(d)];
    if (!data.gap_due(now, wait)) continue;
    if (confirm_doubtful(c, d, now)) continue;
    skip_gap(c, d, now, wait);
  }
}

void Engine::State::tell_handshake(Connection& c, Handshake step, TimeNs now) {
  if (c.quiet) return;
  // Until the keys are known, two capture points may show one handshake as two.
  if (settings.several_points && step < Handshake::kEstablished) return;
  const bool told = step == Handshake::kSyn ? c.told_syn : step == Handshake::kSynAck ? c.told_syn_ack : c.told_established;
  if (told || (step != Handshake::kEstablished && c.told_established)) return;
  if (step == Handshake::kSyn) c.told_syn = true;
  if (step == Handshake::kSynAck) c.told_syn_ack = true;
  if (step >= Handshake::kEstablished) c.told_established = true;
  if (settings.stream_events) observer.on_handshake(info(c), step, now);
  if (step < Handshake::kEstablished || !c.mptcp()) return;
  tell_use_of(c, true, now);
  if (c.subflows.size() > 1) tell_use_of_joined(c, c.subflows, now);
}

void Engine::State::tell_data(Connection& c, Direction d, std::uint64_t offset, std::span<const std::byte> bytes, std::uint32_t subflow, TimeNs now,
                              TimeNs carried_ns) {
  if (!settings.stream_events || bytes.empty()) return;
  if (!c.told_established) tell_handshake(c, Handshake::kEstablished, now);
  const bool opened_by_server = subflow < c.subflows.size() && c.subflows[subflow]->opened_by_server;
  observer.on_data(
      info(c),
      {.direction = d, .offset = offset, .bytes = bytes, .subflow = subflow, .opened_by_server = opened_by_server, .time_ns = now, .carried_ns = carried_ns});
}

void Engine::State::tell_gap(Connection& c, Direction d, std::uint64_t offset, std::uint64_t size, TimeNs now) {
  if (settings.stream_events && size != 0) observer.on_gap(info(c), d, offset, size, now);
}

void Engine::State::tell_ack(Connection& c, Direction d, TimeNs now) {
  if (c.quiet) return;
  std::uint64_t offset = 0;
  if (c.mptcp() && !c.fallen_back()) {
    const auto& data = c.mp->data[index(d)];
    if (!data.started() || !data.has_ack()) return;
    const std::uint64_t acked = std::min(data.acked(), data.next());
    if (acked <= data.first()) return;
    offset = data.offset_of(acked);
  } else if (c.mptcp()) {
    // Fallen back: what the one subflow acknowledges, as far as it was handed on.
    const auto& data = c.mp->data[index(d)];
    if (!data.started() || c.subflows.empty()) return;
    const Subflow& f = *c.subflows.front();
    const Side side = f.direction(kOpener) == d ? kOpener : kAnswerer;
    if (f.rx[side].acked() < f.rx[side].next()) return;
    offset = data.offset_of(data.next());
  } else {
    const PlainStream& stream = c.plain(d);
    if (!stream.started || c.subflows.empty()) return;
    const Subflow& f = *c.subflows.front();
    const Side side = f.direction(kOpener) == d ? kOpener : kAnswerer;
    const std::uint64_t acked = std::min(f.rx[side].acked(), stream.next);
    if (acked <= stream.start) return;
    offset = acked - stream.start;
  }
  if (offset <= c.told_ack[index(d)]) return;
  c.told_ack[index(d)] = offset;
  observer.on_ack(info(c), d, offset, now);
}

void Engine::State::tell_fin(Connection& c, Direction d, TimeNs now) {
  if (c.told_fin[index(d)] || c.quiet) return;
  c.told_fin[index(d)] = true;
  if (c.mptcp() && c.mp->data[index(d)].started()) c.mp->data[index(d)].end_here();
  if (!settings.stream_events) return;
  if (!c.told_established) tell_handshake(c, c.midstream ? Handshake::kMidstream : Handshake::kEstablished, now);
  observer.on_fin(info(c), d, now);
}

void Engine::State::tell_reset(Connection& c, Direction d, TimeNs now) {
  if (c.told_reset || c.quiet || (c.told_fin[0] && c.told_fin[1])) return;
  c.told_reset = true;
  if (settings.stream_events) observer.on_reset(info(c), d, now);
}

}  // namespace weir::engine
