// Captures that begin after the handshake, or miss a path: subflows without a SYN, connections without keys, and what links them.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

constexpr TimeNs kSecondNs = 1'000'000'000;
/// DSNs of one connection lie this close together: its windows' size, with room. 64-bit DSNs of two connections do so once in 2^38.
constexpr std::int64_t kNearOctets = 1LL << 25U;
constexpr unsigned kBucketShift = 25;
/// Segments kept of a subflow direction until its SSNs can be placed.
constexpr std::size_t kMostUnanchored = 64;
/// Packets of an unlinked subflow that are looked up, and keyed connections that are looked at each time.
constexpr std::uint8_t kMostLinkTries = 16;
constexpr std::size_t kMostLooks = 1024;

using reassemble::Arrival;
using reassemble::DataReceiver;
using reassemble::Mapping;

bool is_near(const DataReceiver& data, std::uint64_t dsn) {
  if (!data.has_origin() || data.narrow()) return false;
  const std::uint64_t here = data.dsn(data.here());
  const auto distance = static_cast<std::int64_t>(dsn - here);
  return distance > -kNearOctets && distance < kNearOctets;
}

}  // namespace

Subflow& Engine::State::add_midstream(const Segment& s, bool mptcp, bool sender_opens) {
  Connection& c = add_connection(s.time_ns, mptcp);
  c.midstream = true;
  c.answered = true;
  Subflow& f = add_subflow(c, s, sender_opens);
  f.midstream = true;
  f.phase = Phase::kEstablished;
  f.was_established = true;
  c.established_subflows = 1;
  f.third_ack_judged = true;
  return f;
}

/// A packet of no known subflow, other than a SYN.
Fate Engine::State::on_unknown(const Segment& s) {
  const wire::TcpSegment& tcp = *s.tcp;
  if (settings.inline_mode && tcp.payload_bytes != 0 && ended_before(s)) {
    refuse(Refusal::kAfterEnd);
    return Fate::kOther;
  }
  if (tcp.flags.rst()) {
    if (tcp.has_mptcp) read_options(nullptr, s);
    return Fate::kOther;
  }
  // Without a SYN the lower port is taken for the server (CONTRACT.md).
  const bool sender_is_client = tcp.src_port >= tcp.dst_port;
  if (!tcp.has_mptcp) {
    if (!settings.all_tcp || tcp.payload_bytes == 0) return Fate::kOther;
    if (checksum_trust(s, nullptr, nullptr, kOpener) == Trust::kIgnore) return Fate::kOther;
    Subflow& f = add_midstream(s, false, tcp.flags.syn() ? false : sender_is_client);
    ++counters.flows;
    const Side side = s.decoded->src == f.endpoints.src && tcp.src_port == f.endpoints.src_port ? kOpener : kAnswerer;
    for (auto& rx : f.rx) rx.fall_back(0, 0);
    if (tcp.flags.syn()) return Fate::kOther;
    return on_segment(f, side, s);
  }
  if (checksum_trust(s, nullptr, nullptr, kOpener) == Trust::kIgnore) return Fate::kOther;
  if (tcp.flags.syn()) {
    if (Subflow* asked = half_seen_as(s, true)) {
      add_alias(*asked, s, false);
      return on_syn_ack(asked, kAnswerer, s);
    }
  }
  SegmentOptions options = read_options(nullptr, s);

  if (tcp.flags.syn()) {
    if (!options.capable && !options.join_syn_ack) return Fate::kOther;
    Subflow& f = add_midstream(s, true, false);
    Connection& c = *f.connection;
    c.midstream = false;
    f.midstream = false;
    f.phase = Phase::kSynSent;
    f.was_established = f.third_ack_judged = false;
    c.established_subflows = 0;
    f.has_isn[kOpener] = true;
    f.isn[kOpener] = tcp.ack - 1;
    c.answered = false;
    if (options.join_syn_ack) {
      f.join = true;
      f.joining = std::make_unique<JoinState>();
      c.mp->version.reset();
      c.midstream = f.midstream = true;
      c.held = true;
      ++counters.subflows;
    } else {
      c.mp->offered_version = options.capable->version;
      c.mp->version = options.capable->version;
      c.held = settings.several_points;  // another point may have the client's half, with its key
    }
    hold(c, limits.unknown_join_seconds * kSecondNs);
    note_half_seen(f);
    return on_syn_ack(&f, kAnswerer, s);
  }

  const bool both_keys = options.capable && options.capable->sender_key && options.capable->receiver_key;
  if (!both_keys && !options.join_ack && !options.dss) return Fate::kOther;
  Subflow& f = add_midstream(s, true, both_keys || options.join_ack ? true : sender_is_client);
  Connection& c = *f.connection;
  const Side side = s.decoded->src == f.endpoints.src && tcp.src_port == f.endpoints.src_port ? kOpener : kAnswerer;
  c.mp->version.reset();
  ++counters.subflows;
  if (both_keys || options.join_ack) {
    // The third ACK, or the first data: one after both ISNs.
    f.has_isn[kOpener] = f.has_isn[kAnswerer] = true;
    f.isn[kOpener] = tcp.seq - 1;
    f.isn[kAnswerer] = tcp.ack - 1;
    f.midstream = false;
    f.phase = Phase::kSynReceived;
    f.was_established = f.third_ack_judged = false;
    c.established_subflows = 0;
    if (both_keys) {
      c.midstream = false;
      c.mp->version = options.capable->version;
      c.mp->offered_version = options.capable->version;
    } else {
      f.join = true;
    }
  }
  if (!both_keys) {
    c.held = true;
    hold(c, (settings.several_points || f.join ? limits.unknown_join_seconds : limits.gap_seconds_single) * kSecondNs);
  }
  move_to(c, list_for(c));
  return on_segment(f, side, s);
}

// SSNs count from the ISN, which was not seen. A segment that holds a whole mapping begins where the mapping's SSN says; so does one
// that follows the last segment of the mapping before. (Segmentation offload repeats a mapping on all segments of it.)
void Engine::State::anchor(Subflow& f, Side side, const Segment& s, std::uint64_t at, const wire::mptcp::Dss& dss) {
  const auto& m = *dss.mapping;
  const std::uint32_t data_length = m.length - (dss.data_fin ? 1U : 0U);
  SubflowExtra& extra = f.more();
  auto& waiting = extra.unanchored[side];
  const bool whole = data_length == s.tcp->payload_bytes;
  const bool next_mapping = !waiting.empty() && extra.last_end[side] == at && extra.last_ssn[side] != m.ssn;
  if (whole || next_mapping) {
    if (waiting.empty() && !f.rx[side].started()) f.rx[side].start_at(at);  // what came before had no mapping
    set_anchor(f, side, at - m.ssn, s.time_ns, s.point);
    return;
  }
  extra.last_ssn[side] = m.ssn;
  extra.last_end[side] = at + s.tcp->payload_bytes;
  Unanchored piece;
  piece.position = at;
  piece.size = s.tcp->payload_bytes;
  piece.bytes = reassemble::KeptBytes(s.tcp->payload, s.stays);
  piece.dsn = full_dsn(*f.connection, f.direction(side), m.dsn, m.wide);
  piece.ssn = m.ssn;
  piece.length = m.length;
  piece.data_length = data_length;
  waiting.push_back(std::move(piece));
  if (waiting.size() < kMostUnanchored) return;
  guess_anchor(f, side, s.time_ns, s.point);
}

/// No segment told for certain: the earliest beginning that any of them allows is taken.
void Engine::State::guess_anchor(Subflow& f, Side side, TimeNs now, PointId point) {
  if (f.anchored[side] || !f.extra || f.extra->unanchored[side].empty()) return;
  const auto& waiting = f.extra->unanchored[side];
  const std::uint64_t first = waiting.front().position - waiting.front().ssn;
  std::uint64_t base = first;
  for (const Unanchored& u : waiting) base = std::min(base, unwrap(static_cast<std::uint32_t>(u.position - u.ssn), first));  // SSNs come around
  set_anchor(f, side, base, now, point);
}

void Engine::State::set_anchor(Subflow& f, Side side, std::uint64_t ssn_base, TimeNs now, PointId point) {
  f.anchored[side] = true;
  f.set_ssn_base(side, ssn_base);
  if (!f.extra) return;
  auto waiting = std::move(f.extra->unanchored[side]);
  if (!waiting.empty() && !f.rx[side].started()) f.rx[side].start_at(waiting.front().position);
  f.extra->unanchored[side].clear();
  for (const Unanchored& piece : waiting) {
    Mapping mapping;
    mapping.dsn = piece.dsn;
    mapping.position = ssn_base + unwrap(piece.ssn, piece.position - ssn_base);
    mapping.length = piece.data_length;
    mapping.ssn = piece.ssn;
    mapping.wire_length = piece.length;
    Arrival in;
    in.position = piece.position;
    in.bytes = piece.bytes.bytes();
    in.size = piece.size;
    in.stays = piece.bytes.stays();
    in.time_ns = now;
    subflow_output.clear();
    f.rx[side].arrive(in, &mapping, limits, subflow_output);
    pass_on(f, side, now, point);
  }
}

void Engine::State::index_dsn(Connection& c, Direction d, std::uint64_t dsn) {
  if (c.mp->data[index(d)].narrow()) return;
  auto& buckets = c.mp->unkeyed().link_buckets[index(d)];
  const std::uint64_t bucket = dsn >> kBucketShift;
  if (!buckets.empty() && buckets.back() == bucket) return;
  if (std::ranges::find(buckets, bucket) != buckets.end()) return;
  buckets.push_back(bucket);
  dsn_index[bucket].push_back(&c);
}

void Engine::State::unindex_dsn(Connection& c) {
  if (!c.mp->unkeyed_state) return;
  for (auto& buckets : c.mp->unkeyed_state->link_buckets) {
    for (const std::uint64_t bucket : buckets) {
      const auto found = dsn_index.find(bucket);
      if (found == dsn_index.end()) continue;
      std::erase(found->second, &c);
      if (found->second.empty()) dsn_index.erase(found);
    }
    buckets.clear();
  }
}

/// Another connection in whose stream `dsn` lies.
Connection* Engine::State::near_dsn(const Connection& mine, Direction d, std::uint64_t dsn, bool& flipped) {
  const auto fits = [&](Connection& c) {
    if (&c == &mine || !c.mptcp() || c.fallen_back()) return false;
    for (const Direction way : {d, reverse(d)}) {
      if (is_near(c.mp->data[index(way)], dsn)) {
        flipped = way != d;
        return true;
      }
    }
    return false;
  };
  const std::uint64_t bucket = dsn >> kBucketShift;
  for (const std::uint64_t b : {bucket - 1, bucket, bucket + 1}) {
    const auto found = dsn_index.find(b);
    if (found == dsn_index.end()) continue;
    for (Connection* c : found->second) {
      if (fits(*c)) return c;
    }
  }
  std::size_t looks = 0;
  for (auto it = lists[kLive].rbegin(); it != lists[kLive].rend() && looks < kMostLooks; ++it, ++looks) {
    if (it->keyed && fits(*it)) return &*it;
  }
  return nullptr;
}

/// Links a subflow of unknown origin to the connection whose DSNs it carries on (`joins_before_keys`).
void Engine::State::link_by_dsn(Subflow& f, Side side, std::uint64_t dsn, TimeNs now) {
  Connection& mine = *f.connection;
  if (mine.keyed || f.link_tries >= kMostLinkTries) return;
  ++f.link_tries;
  bool flipped = false;
  Connection* other_one = near_dsn(mine, f.direction(side), dsn, flipped);
  if (other_one == nullptr) return;
  Connection* into = other_one->keyed || other_one->number < mine.number ? other_one : &mine;
  Connection* from = into == &mine ? other_one : &mine;
  if (!from->held) {
    std::swap(into, from);
    if (!from->held || from->keyed) return;
  }
  // Into a connection whose keys are known only what its receiver answers on is taken: anyone can send a packet, not everyone is heard.
  if (into->keyed && !(f.home.side[kOpener].seen && f.home.side[kAnswerer].seen)) {
    --f.link_tries;
    return;
  }
  into->linked_by_dsn = true;
  absorb(*into, *from, flipped, now);
}

/// Moves all that is known of `from`, which has delivered nothing yet, into `into`.
void Engine::State::absorb(Connection& into, Connection& from, bool flipped, TimeNs now) {
  std::vector<std::uint32_t> new_id(from.subflows.size() + 1, 0);
  std::vector<Subflow*> moved(from.subflows.begin(), from.subflows.end());
  from.subflows.clear();
  held_memory -= std::min(held_memory, held_of(into) + held_of(from));
  std::vector<Subflow*> by_old_id(moved.size() + 1, nullptr);
  for (Subflow* f : moved) {
    if (f->id < by_old_id.size()) by_old_id[f->id] = f;
  }
  for (Subflow* f : moved) {
    f->connection = &into;
    if (f->was_established) ++into.established_subflows;
    f->opened_by_server = f->opened_by_server != flipped;
    f->id = static_cast<std::uint32_t>(into.subflows.size());
    into.subflows.push_back(f);
    into.mp->more().addresses.use(f->host(kOpener), f->address_id[kOpener]);
    for (auto& rx : f->rx) rx.use_checksums(into.mp->checksum, settings.inline_mode);
    verify_join(*f, nullptr);
  }
  into.first_ns = std::min(into.first_ns, from.first_ns);
  into.last_ns = std::max(into.last_ns, from.last_ns);
  if (into.held && from.held) into.hold_until_ns = std::min(into.hold_until_ns, from.hold_until_ns);
  for (const std::uint32_t token : from.mp->unkeyed().orphan_tokens) {
    const auto found = orphans.find(token);
    if (found == orphans.end() || found->second != &from) continue;
    if (into.keyed) {
      orphans.erase(found);  // the token is one of its own
    } else {
      found->second = &into;
      into.mp->unkeyed().orphan_tokens.push_back(token);
    }
  }
  if (from.pending) {
    if (!into.pending) into.pending = std::make_unique<std::vector<AnomalyRecord>>();
    std::ranges::move(*from.pending, std::back_inserter(*into.pending));
  }
  into.raised |= from.raised;
  const bool authentic = std::ranges::any_of(moved, [](const Subflow* f) { return f->phase != Phase::kFailed; });
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t source = flipped ? 1 - i : i;
    if (from.mp->extra) into.mp->more().cut_bytes[i] += from.mp->extra->cut_bytes[source];
    auto& old = from.mp->data[source];
    if (!old.has_origin() || !authentic) continue;
    const auto d = static_cast<Direction>(i);
    auto& data = into.mp->data[i];
    if (!data.has_origin()) data.set_origin(old.dsn(DataReceiver::kFirst), old.narrow());
    if (data.narrow() && !old.narrow()) widen(into, d, old.dsn(old.here()));
    shift_dsn(moved, d, old.widen(data.dsn(data.here())));
    const auto translate = [&](std::uint64_t at) { return data.position(old.dsn(at)); };
    if (old.has_edge()) data.window(translate(old.edge()));
    reassemble::OverlapQueue queue = old.take_queue();
    while (!queue.empty()) {
      const reassemble::QueuedPiece piece = queue.take_front();
      const Subflow* carrier = piece.subflow < by_old_id.size() ? by_old_id[piece.subflow] : nullptr;
      if (carrier == nullptr || carrier->phase == Phase::kFailed) continue;
      if (!into.held && !data.started()) start_stream(into, d, now);
      Arrival in;
      in.position = translate(piece.begin);
      in.bytes = piece.bytes.bytes();
      in.size = static_cast<std::uint32_t>(piece.end - piece.begin);
      in.subflow = carrier->id;
      in.stays = piece.bytes.stays();
      in.time_ns = now;
      in.carried_ns = piece.carried_ns;
      in.doubtful = piece.doubtful;
      if (!into.keyed && !into.mp->has_key[i]) index_dsn(into, d, data.dsn(in.position));
      data_output.clear();
      data.arrive(in, limits, data_output);
      give(into, d, now);
    }
    if (old.doubtful_fin_position() != DataReceiver::kNone) data.doubtful_fin(translate(old.doubtful_fin_position()), data_output);
    if (old.has_fin()) {
      data.fin(translate(old.fin_position()));
      if (!into.held && !data.started()) start_stream(into, d, now);
    }
    if (old.has_ack() && data.believable_ack(translate(old.acked()))) {
      data_output.clear();
      data.acknowledged(translate(old.acked()), now, limits, data_output);
    } else {
      data_output.clear();
    }
    give(into, d, now);
  }
  held_memory += held_of(into);
  remove(from);
  if (into.told_established) tell_use_of_joined(into, moved, now);
  touch(into, now);
}

/// How long delivery waits at most, once it does.
void Engine::State::hold(Connection& c, TimeNs most_ns) { c.hold_until_ns = now_ns + (settings.hold_ns == 0 ? most_ns : std::min(settings.hold_ns, most_ns)); }

/// The wait for keys, or for other subflows, is over: delivery begins with what there is.
void Engine::State::release_hold(Connection& c, TimeNs now) {
  if (!c.held) return;
  c.held = false;
  if (!c.keyed) orphan_expired(c);
  for (const Direction d : {Direction::kToServer, Direction::kToClient}) {
    auto& data = c.mp->data[index(d)];
    if (data.has_origin() && (data.waiting() || data.has_fin())) start_stream(c, d, now);
  }
  touch(c, now);
}

}  // namespace weir::engine
