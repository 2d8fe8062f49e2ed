// How running connections go on in another process (saved.h).
#include <algorithm>

#include "engine/saved.h"
#include "engine/state.h"

namespace weir::engine {

using reassemble::DataReceiver;

namespace {

/// How long hosts may take to show what an older state does not know of: their timers double with the time in which nothing got through.
constexpr TimeNs kSecond = 1'000'000'000, kMostSettling = 120 * kSecond;

TimeNs settling_time(TimeNs newest, TimeNs now) {
  constexpr TimeNs kLeast = 10 * kSecond;
  return std::min(kMostSettling, kLeast + 2 * std::clamp(now - newest, TimeNs{0}, kMostSettling));
}

SavedSubflow saved_from(const Subflow& f) {
  SavedSubflow s;
  s.endpoints = f.endpoints;
  s.phase = f.phase;
  s.auth = f.auth;
  s.join = f.join;
  s.opened_by_server = f.opened_by_server;
  s.backup = f.backup;
  for (const Side side : {kOpener, kAnswerer}) {
    s.spoke[side] = f.spoke[side];
    s.has_isn[side] = f.has_isn[side];
    s.address_id[side] = f.address_id[side];
    s.isn[side] = f.isn[side];
    s.next[side] = f.rx[side].next();
    s.acked[side] = f.rx[side].acked();
    s.fin_position[side] = f.fin_position[side];
    s.fallen_back[side] = f.rx[side].fallen_back();
    s.plain_dsn[side] = f.rx[side].plain_dsn(f.rx[side].next());
    s.ssn_base[side] = f.ssn_base(side);
    s.view[side] = f.home.side[side];
    s.bytes[side] = f.rx[side].consumed_bytes();  // what waits comes to the next process once more
    if (!f.guard) continue;
    s.settled[side] = f.guard->settled[side];
    s.bytes[side] += f.guard->bytes_before[side] - std::min(f.guard->withheld_bytes[side], s.bytes[side]);
  }
  return s;
}

SavedConnection saved_from(const Connection& c) {
  const Mptcp& mp = *c.mp;
  SavedConnection s;
  s.number = c.number;
  s.first_ns = c.first_ns;
  s.last_ns = c.last_ns;
  s.version = mp.version.value_or(1);
  s.version_known = mp.version.has_value();
  s.checksum = mp.checksum;
  s.refused = c.refused;
  s.midstream = c.midstream;
  s.fallback = c.fallback;
  for (std::size_t d = 0; d < 2; ++d) {
    const DataReceiver& data = mp.data[d];
    s.blocked[d] = c.blocked[d];
    s.has_key[d] = mp.has_key[d];
    s.key[d] = mp.key[d];
    s.has_origin[d] = data.has_origin() && !data.narrow();
    s.first_dsn[d] = data.dsn(DataReceiver::kFirst);
    s.started[d] = data.started();
    s.next[d] = data.next();
    s.has_ack[d] = data.has_ack();
    s.acked[d] = data.acked();
    s.has_edge[d] = data.has_edge();
    s.edge[d] = data.edge();
    s.has_fin[d] = data.has_fin();
    s.fin[d] = data.has_fin() ? data.fin_position() : 0;
    s.counted.bytes[d] = delivered_bytes(c, d);
    s.counted.seen_bytes[d] = data.delivered_bytes();
    s.counted.gap_bytes[d] = data.gap_bytes();
    s.counted.duplicate_bytes += data.duplicate_bytes();
    if (!c.guard) continue;
    const CountedApart& before = c.guard->counted;
    s.counted.seen_bytes[d] += before.seen_bytes[d];
    s.counted.gap_bytes[d] += before.gap_bytes[d];
    s.counted.excused_bytes[d] = before.excused_bytes[d];
    if (d == 0) s.counted.duplicate_bytes += before.duplicate_bytes;
    s.mapped[d] = c.guard->mapped[d];
    s.delta[d] = c.guard->delta[d];
    s.unconfirmed_until[d] = c.guard->unconfirmed_until[d];
    s.settled[d] = c.guard->settled[d];
    s.settles_until_ns = c.guard->settles_until_ns;
    s.excused = c.guard->excused;
  }
  return s;
}

}  // namespace

/// The hash of a tuple outside of any tunnel.
std::uint64_t Engine::State::tuple_hash(const Endpoints& e, bool& low_is_src) const {
  const auto key = track::make_flow_key(e.src, e.src_port, e.dst, e.dst_port, 0, low_is_src);
  return track::hash_flow_key(key, settings.hash_seed);
}

void Engine::State::resume_data(Connection& c, const SavedConnection& s, std::size_t d) {
  DataReceiver& data = c.mp->data[d];
  if (!data.has_origin() && s.has_origin[d]) data.set_origin(s.first_dsn[d]);
  if (!data.has_origin()) return;
  data_output.clear();
  if (s.started[d]) data.start(s.next[d], limits, data_output);
  if (s.has_ack[d]) data.acknowledged(s.acked[d], s.last_ns, limits, data_output);
  // Its window is taken from its next DATA_ACK: how far it has been opened meanwhile is not known, and a sender with nothing but bytes behind it would wait
  // for a host that has no reason to speak.
  if (s.has_fin[d]) data.fin(s.fin[d]);
  data_output.clear();
  ConnectionGuard& g = guard(c);
  g.resumed = true;
  g.settled[d] = s.settled[d];
  g.mapped[d] = s.mapped[d];
  g.delta[d] = s.delta[d];
  g.unconfirmed_until[d] = s.unconfirmed_until[d];
  resume_stream(c, s, d);
}

/// False: its tuple is in use already.
bool Engine::State::resume_subflow(Connection& c, const SavedSubflow& s) {
  bool low_is_opener = false;
  const std::uint64_t hash = tuple_hash(s.endpoints, low_is_opener);
  if (flows.find(hash) != nullptr) return false;
  auto* const f = new Subflow;
  f->connection = &c;
  f->endpoints = s.endpoints;
  f->id = static_cast<std::uint32_t>(c.subflows.size());
  c.subflows.push_back(f);
  f->hash = hash;
  index_flow(*f, hash, low_is_opener);
  ++counters.subflows;
  f->phase = s.phase;
  f->auth = s.auth;
  f->join = s.join;
  f->opened_by_server = s.opened_by_server;
  f->backup = s.backup;
  f->was_established = f->third_ack_judged = true;
  ++c.established_subflows;
  for (const Side side : {kOpener, kAnswerer}) {
    f->spoke[side] = s.spoke[side];
    f->has_isn[side] = s.has_isn[side];
    f->address_id[side] = s.address_id[side];
    f->isn[side] = s.isn[side];
    f->set_ssn_base(side, s.ssn_base[side]);
    f->rx[side].start_at(s.next[side], s.acked[side]);
    f->rx[side].use_checksums(c.mp->checksum, true);
    if (s.fallen_back[side]) f->rx[side].fall_back(s.next[side], s.plain_dsn[side]);
    f->fin_position[side] = s.fin_position[side];
    f->fin[side] = s.fin_position[side] != 0 && s.next[side] >= s.fin_position[side];
    f->home.side[side] = s.view[side];
    // As with the connection's: as far as any window can have been opened (RFC 7323 §2.3).
    constexpr std::uint32_t kWidest = 1U << 30U;
    track::TcpView& view = f->home.side[side];
    if (view.has_edge && view.has_ack) view.right_edge = view.last_ack + kWidest;
    guard(*f).settled[side] = s.settled[side];
    guard(*f).bytes_before[side] = s.bytes[side];
    resume_passed(*f, side, s);
    c.mp->more().addresses.use(f->host(side), s.address_id[side]);
  }
  return true;
}

bool Engine::State::resume(const SavedConnection& s, Since since, TimeNs settles_until) {
  if (numbers.contains(s.number) || connections >= static_cast<std::size_t>(limits.max_connections)) return false;
  Connection& c = add_connection(s.first_ns, true);
  if ((s.number - 1) % settings.shards == settings.shard) {
    numbers.erase(c.number);
    c.number = s.number;
    numbers[c.number] = &c;
    next_number = std::max(next_number, (s.number - 1) / settings.shards + 1);
  }
  c.last_ns = s.last_ns;
  c.answered = true;
  c.refused = s.refused;
  c.midstream = s.midstream;
  c.fallback = s.fallback;
  Mptcp& mp = *c.mp;
  if (s.version_known) mp.version = mp.offered_version = s.version;
  if (!s.version_known) mp.version.reset();
  mp.checksum = s.checksum;
  for (std::size_t host = 0; host < 2; ++host) {
    c.blocked[host] = s.blocked[host];
    if (s.has_key[host]) set_key(c, host, s.key[host]);
  }
  c.keyed = mp.has_key[0] && mp.has_key[1];
  guard(c).counted = s.counted;
  for (std::size_t d = 0; d < 2; ++d) resume_data(c, s, d);
  guard(c).resumed = true;
  guard(c).settles_until_ns = std::min(std::max(s.settles_until_ns, settles_until), now_ns + kMostSettling);  // the clock may have been set back
  guard(c).excused = since == Since::kJudged || (since == Since::kNothing && s.excused);
  for (const SavedSubflow& f : s.subflows) resume_subflow(c, f);
  held_memory += held_of(c);
  if (c.subflows.empty()) {
    remove(c);
    return false;
  }
  tell_handshake(c, Handshake::kMidstream, s.last_ns);
  move_to(c, list_for(c));
  return true;
}

std::vector<std::byte> Engine::save(Since since) const {
  State& state = *state_;
  SavedState whole;
  whole.since = since;
  whole.newest_ns = state.now_ns;
  std::vector<SavedConnection>& all = whole.connections;
  for (const auto& list : state.lists) {
    for (const Connection& c : list) {
      if (!c.mptcp() || c.quiet || c.mp->orphan || c.held) continue;
      if (c.guard && c.guard->goes_by && State::ended_by_both(c)) continue;
      SavedConnection saved = saved_from(c);
      std::vector<const Subflow*> subflows;
      for (const Subflow* f : c.subflows) {
        bool low_is_opener = false;
        // In a tunnel, or before its SSNs were placed: it will be taken for one seen from its middle.
        if (!f->was_established || !f->anchored[0] || !f->anchored[1] || state.tuple_hash(f->endpoints, low_is_opener) != f->hash) continue;
        saved.subflows.push_back(saved_from(*f));
        subflows.push_back(f);
      }
      State::save_passed(c, subflows, saved);
      if (!can_be(saved)) leave_pieces(saved);
      if (can_be(saved)) all.push_back(std::move(saved));
    }
  }
  state.bound_saved(all);
  return write_saved(whole);
}

std::expected<std::size_t, SavedError> Engine::restore(std::span<const std::byte> octets, TimeNs now) {
  State& state = *state_;
  const auto saved = read_saved(octets, {.connections = static_cast<std::size_t>(state.limits.max_connections),
                                         .subflows = static_cast<std::size_t>(state.limits.max_subflows),
                                         .pieces = static_cast<std::size_t>(state.limits.reorder_pieces),
                                         .octets = 2 * static_cast<std::uint64_t>(state.limits.saved_copies_bytes)});
  if (!saved) return std::unexpected(saved.error());
  state.now_ns = std::max(state.now_ns, now);
  std::size_t resumed = 0;
  const TimeNs settles_until = saved->since == Since::kNothing ? 0 : now + settling_time(saved->newest_ns, now);
  for (const SavedConnection& s : saved->connections) resumed += state.resume(s, saved->since, settles_until) ? 1U : 0U;
  state.removed.clear();
  return resumed;
}

}  // namespace weir::engine
