// Connections come, are kept, and go: timeouts by packet time, limits, records.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

constexpr TimeNs kSecondNs = 1'000'000'000;

/// A number that looks like none of its neighbours (a bijection, so that ids stay unique): splitmix64's finaliser.
std::uint64_t scatter(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

std::string hex(std::uint64_t value, int digits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(static_cast<std::size_t>(digits), '0');
  for (int i = digits - 1; i >= 0; --i, value >>= 4U) text[static_cast<std::size_t>(i)] = kDigits[value & 15U];
  return text;
}

}  // namespace

std::uint64_t delivered_bytes(const Connection& c, std::size_t d) {
  const auto& data = c.mp->data[d];
  const std::uint64_t own = data.started() ? data.bytes() : 0;
  if (!c.guard) return own;
  const CountedApart& n = c.guard->counted;
  const std::uint64_t all = n.bytes[d] + (n.gap_bytes[d] == 0 ? own : 0);
  return all - std::min(all, n.withheld_bytes[d]);
}

Connection& Engine::State::add_connection(TimeNs now, bool mptcp) {
  if (connections >= static_cast<std::size_t>(limits.max_connections)) {
    for (auto& list : {&lists[kEnding], &lists[kWaiting], &lists[kLive]}) {
      if (list->empty()) continue;
      ++counters.evicted_connections;
      end(list->front());
      break;
    }
  }
  auto* c = new Connection;
  c->number = next_number++ * settings.shards + settings.shard + 1;
  c->first_ns = c->last_ns = now;
  if (mptcp) c->mp = std::make_unique<Mptcp>();
  c->list = kWaiting;
  lists[kWaiting].push_back(*c);
  ++connections;
  if (settings.inline_mode) numbers.emplace_hint(numbers.end(), c->number, c);
  return *c;
}

/// What is told of a connection. It is made anew each time, but for its text: of connections told of by turns, few are told of at once.
const ConnectionInfo& Engine::State::info(Connection& c) {
  ConnectionInfo& info = infos[c.number % infos.size()];
  const bool same = info.number == c.number;
  if (!same || c.keyed == (info.id[0] == 'x')) {
    info.id = c.keyed ? hex(c.mp->token[0], 8) + "-" + hex(c.mp->token[1], 8) : "x-" + hex(scatter(c.number ^ settings.run), 16);
  }
  info.number = c.number;
  info.established_subflows = c.established_subflows;
  info.mptcp = c.mptcp();
  info.version = c.mptcp() ? c.mp->version : std::nullopt;
  info.first_ns = c.first_ns;
  if (!c.subflows.empty()) {
    const Subflow& first = *c.subflows.front();
    info.endpoints = first.endpoints;
    if (first.opened_by_server) info.endpoints = {info.endpoints.dst, info.endpoints.src, info.endpoints.dst_port, info.endpoints.src_port};
  } else if (!same) {
    info.endpoints = {};
  }
  return info;
}

/// Before, keys may come, or the connection that these JOINs belong to.
bool Engine::State::has_final_id(const Connection& c) { return c.told_established || (!c.held && c.keyed) || c.fallen_back(); }

ConnectionState Engine::State::state_of(const Connection& c) const {
  if (c.refused) return ConnectionState::kRefused;
  if (c.fallback != FallbackReason::kNone) return ConnectionState::kFallback;
  if (c.mptcp()) {
    const auto ended = [&](std::size_t d) { return c.mp->data[d].has_fin() || (c.guard && c.guard->data_fin[d]); };
    if (ended(0) && ended(1)) return ConnectionState::kClosed;
    if (c.fastclosed || c.reset) return ConnectionState::kReset;
    return ConnectionState::kOpen;
  }
  if (!c.subflows.empty() && c.subflows.front()->fin[0] && c.subflows.front()->fin[1]) return ConnectionState::kClosed;
  return c.reset ? ConnectionState::kReset : ConnectionState::kOpen;
}

ListId Engine::State::list_for(const Connection& c) const {
  if (c.held) return kWaiting;
  bool live = false;
  bool ended = !c.subflows.empty();
  for (const Subflow* f : c.subflows) {
    live = live || f->live();
    ended = ended && f->ended();
  }
  if (ended || c.fastclosed || c.reset || (c.guard && c.guard->data_fin[0] && c.guard->data_fin[1])) return kEnding;
  if (c.mptcp() && !c.fallen_back() && c.told_fin[0] && c.told_fin[1]) return kEnding;
  return live ? kLive : kWaiting;
}

void Engine::State::touch(Connection& c, TimeNs now) {
  c.last_ns = std::max(c.last_ns, now);
  const ListId list = list_for(c);
  if (list != c.list) move_to(c, list);
}

void Engine::State::move_to(Connection& c, ListId list) {
  auto& from = lists[c.list];
  from.erase(from.iterator_to(c));
  c.list = list;
  lists[list].push_back(c);
}

TimeNs Engine::State::deadline(const Connection& c) const {
  switch (static_cast<ListId>(c.list)) {
    case kWaiting:
      return c.held ? c.hold_until_ns : c.last_ns + limits.handshake_seconds * kSecondNs;
    case kEnding:
      return c.last_ns + limits.linger_seconds * kSecondNs;
    default:
      return c.last_ns + limits.idle_seconds * kSecondNs;
  }
}

// The lists are in order of arrival, not of deadline: one that was used meanwhile goes to the end again when it is looked at. So a
// deadline is kept to within one turn of its list, at constant cost a packet.
void Engine::State::expire(TimeNs now, std::size_t most) {
  removed.clear();
  judge_waiting_suspects(now);
  for (auto& list : lists) {
    for (std::size_t i = 0; i < most && !list.empty(); ++i) {
      Connection& c = list.front();
      if (now < deadline(c)) {
        list.splice(list.end(), list, list.iterator_to(c));
        break;
      }
      if (c.held) {
        release_hold(c, now);
        continue;
      }
      end(c);
    }
  }
}

std::uint64_t Engine::State::held_of(const Connection& c) const {
  std::uint64_t sum = 0;
  for (const Subflow* f : c.subflows) sum += f->rx[0].held_bytes() + f->rx[1].held_bytes();
  if (c.mp) sum += c.mp->data[0].held_bytes() + c.mp->data[1].held_bytes();
  return sum;
}

std::uint64_t Engine::State::memory() const {
  return held_memory + passed_memory + connections * (sizeof(Connection) + sizeof(Mptcp)) + (counters.subflows + counters.flows) * sizeof(Subflow) +
         flows.memory_bytes() + defragmenter.counters().bytes_held;
}

/// Everything that is still on its way is given, or counted as missing.
void Engine::State::finish_streams(Connection& c) {
  if (c.quiet) return;
  const TimeNs now = c.last_ns;
  if (c.mptcp() && c.held) release_hold(c, now);
  for (std::size_t i = 0; i < c.subflows.size(); ++i) {
    Subflow& f = *c.subflows[i];
    if (c.mptcp()) judge_suspects(f);
    for (const Side side : {kOpener, kAnswerer}) {
      if (f.phase != Phase::kFailed) guess_anchor(f, side, now, f.home.point);
      auto& rx = f.rx[side];
      for (;;) {
        subflow_output.clear();
        if (!rx.skip_gap(now, 0, false, limits, subflow_output)) break;
        pass_on(f, side, now, f.home.point);
      }
      if (!c.mptcp() && rx.acked() > rx.next()) {
        PlainStream& stream = c.plain(f.direction(side));
        if (stream.started) {
          if (stream.first_gap == ~0ULL) stream.first_gap = stream.next;
          stream.gap_bytes += rx.acked() - rx.next();
        }
      }
      if (c.mptcp() && rx.fallen_back() && rx.acked() > reassemble::kFirstPosition) {
        auto& data = c.mp->data[index(f.direction(side))];
        data_output.clear();
        if (data.started()) data.acknowledged(data.position(rx.plain_dsn(rx.acked())), now, limits, data_output);
        give(c, f.direction(side), now);
      }
    }
  }
  if (!c.mptcp()) return;
  for (const Direction d : {Direction::kToServer, Direction::kToClient}) {
    if (!c.fastclosed) confirm_doubtful(c, d, now);
    data_output.clear();
    auto& data = c.mp->data[index(d)];
    data.finish(now, limits, data_output);
    give(c, d, now);
    if (data.started()) note_excused(c, d, data.next(), data.has_ack() ? data.acked() : 0);
    if (c.fallen_back() && std::ranges::any_of(c.subflows, [&](const Subflow* f) { return f->fin[f->direction(kOpener) == d ? kOpener : kAnswerer]; }))
      tell_fin(c, d, now);
  }
  const auto& up = c.mp->data[0];
  const auto& down = c.mp->data[1];
  const Exchanged all = exchanged_by(c);
  std::uint64_t acked = all.before;
  for (const auto* data : {&up, &down}) {
    if (!data->started() || !data->has_ack() || data->acked() <= data->first()) continue;
    acked += std::min(data->acked(), data->has_fin() ? data->fin_position() : data->acked()) - data->first();
  }
  const std::uint64_t gaps = all.gaps;
  const std::uint64_t cut = std::min(gaps, up.cut_bytes() + down.cut_bytes() + (c.mp->extra ? c.mp->extra->cut_bytes[0] + c.mp->extra->cut_bytes[1] : 0));
  const std::uint64_t exchanged = all.seen + gaps;
  if (std::cmp_greater_equal(acked, limits.visibility_bytes) && (gaps - cut) * 100 > exchanged * static_cast<std::uint64_t>(100 - limits.visibility_percent) &&
      !c.fallen_back()) {
    raise(c, inspect::Event::visibility_low, now, {{"unseen_bytes", gaps - cut}, {"exchanged_bytes", exchanged}});
  }
}

/// Of a gap from `begin` to `end`, what had passed the process before this one.
void Engine::State::note_excused(Connection& c, Direction d, std::uint64_t begin, std::uint64_t end) {
  if (!c.guard || !c.guard->excused) return;
  end = std::min(end, c.guard->settled[index(d)]);
  if (begin < end) c.guard->counted.excused_bytes[index(d)] += end - begin;
}

/// Both directions together. What had passed the process before this one counts as seen.
Engine::State::Exchanged Engine::State::exchanged_by(const Connection& c) {
  Exchanged all;
  for (std::size_t d = 0; d < 2; ++d) {
    const auto& data = c.mp->data[d];
    std::uint64_t seen = data.seen_bytes(), gaps = data.gap_bytes();
    if (c.guard) {
      const CountedApart& n = c.guard->counted;
      all.before += n.seen_bytes[d] + n.gap_bytes[d];
      gaps += n.gap_bytes[d];
      const std::uint64_t excused = std::min(gaps, n.excused_bytes[d]);
      gaps -= excused;
      seen += n.seen_bytes[d] + excused;
    }
    all.seen += seen;
    all.gaps += gaps;
  }
  return all;
}

double Engine::State::visibility_of(const Connection& c) const {
  const auto [before, seen, gaps] = exchanged_by(c);
  return seen + gaps == 0 ? 1.0 : static_cast<double>(seen) / static_cast<double>(seen + gaps);
}

SubflowRecord Engine::State::record_of(const Connection&, const Subflow& f) const {
  SubflowRecord r;
  r.id = f.id;
  const auto client_first = [&](Endpoints e) {
    if (f.opened_by_server) {
      std::swap(e.src, e.dst);
      std::swap(e.src_port, e.dst_port);
    }
    return e;
  };
  r.endpoints = client_first(f.endpoints);
  r.opened_by_server = f.opened_by_server;
  r.address_id = f.address_id[kOpener];
  r.backup = f.backup;
  r.auth = f.auth;
  switch (f.phase) {
    case Phase::kSynSent:
    case Phase::kSynReceived:
      r.state = SubflowState::kAttempted;
      break;
    case Phase::kEstablished:
      r.state = SubflowState::kEstablished;
      break;
    case Phase::kClosed:
      r.state = SubflowState::kClosed;
      break;
    case Phase::kReset:
      r.state = f.was_established ? SubflowState::kReset : SubflowState::kAttempted;
      break;
    case Phase::kFailed:
      r.state = SubflowState::kFailed;
      break;
  }
  for (const Side side : {kOpener, kAnswerer}) {
    std::uint64_t& bytes = r.bytes[index(f.direction(side))];
    bytes = f.rx[side].payload_bytes();
    if (f.guard) bytes += f.guard->bytes_before[side] - std::min(f.guard->withheld_bytes[side], bytes);
  }
  r.points.push_back(f.home.point);
  if (f.extra) {
    for (const Alias& a : f.extra->aliases) {
      if (!a.tunnel_only) r.seen_as.push_back(client_first(a.opener_to_answerer));
    }
    for (const PointView& v : f.extra->more_points) r.points.push_back(v.point);
  }
  std::ranges::sort(r.points);
  return r;
}

ConnectionRecord Engine::State::record_of(Connection& c) {
  const Mptcp& mp = *c.mp;
  ConnectionRecord r;
  r.info = info(c);
  r.last_ns = c.last_ns;
  r.version = mp.version;
  r.state = state_of(c);
  r.fallback_reason = c.refused ? FallbackReason::kNoOptionInSynAck : c.fallback;
  if (c.refused) r.fallback_reason = FallbackReason::kNone;
  r.checksum = mp.checksum && !c.refused;
  r.midstream = c.midstream || mp.orphan || (c.guard && c.guard->resumed);
  for (std::size_t i = 0; i < 2; ++i) {
    r.bytes[i] = delivered_bytes(c, i);
    r.gap_bytes[i] = mp.data[i].gap_bytes() + (c.guard ? c.guard->counted.gap_bytes[i] : 0);
    r.duplicate_bytes += mp.data[i].duplicate_bytes();
  }
  if (c.guard) r.duplicate_bytes += c.guard->counted.duplicate_bytes;
  r.visibility = visibility_of(c);
  for (const Subflow* f : c.subflows) r.subflows.push_back(record_of(c, *f));
  return r;
}

void Engine::State::write_record(Connection& c) { observer.on_connection(record_of(c)); }

void Engine::State::write_flow(Connection& c) {
  FlowRecord r;
  r.info = info(c);
  r.last_ns = c.last_ns;
  r.state = state_of(c);
  r.midstream = c.midstream;
  for (std::size_t i = 0; i < 2; ++i) {
    const PlainStream& stream = c.plain(static_cast<Direction>(i));
    r.bytes[i] = stream.started ? std::min(stream.next, stream.first_gap) - stream.start : 0;
    r.gap_bytes[i] = stream.gap_bytes;
    r.packets[i] = stream.packets;
  }
  observer.on_flow(r);
}

void Engine::State::end(Connection& c) {
  if (settings.inline_mode && c.list == kEnding) remember_ended(c);
  finish_streams(c);
  if (c.quiet) {
    remove(c);
    return;
  }
  const bool begun = c.told_established;
  c.told_established = true;  // the id is final now
  if (!c.mptcp()) {
    const bool told = !c.subflows.empty();
    if (told) write_flow(c);
    remove(c, told);
    return;
  }
  const bool any_data = std::ranges::any_of(c.subflows, [](const Subflow* f) { return f->gave_data; });
  const bool orphan = c.mp->orphan || (!c.keyed && std::ranges::all_of(c.subflows, [](const Subflow* f) { return f->join; }));
  if (orphan) counters.joins_orphaned += c.subflows.size();
  const bool recorded = !c.subflows.empty() && (c.midstream || orphan ? any_data || c.keyed : c.answered);
  if (recorded) {
    if (!c.keyed && c.linked_by_dsn) {
      std::uint64_t linked = c.subflows.size();
      if (linked > 1) raise(c, inspect::Event::joins_before_keys, c.last_ns, {{"subflows", linked}});
    }
    tell_pending(c, true);
    tell_use_at_end(c, begun);
    ++counters.connections;
    write_record(c);
  } else {
    tell_pending(c, false);
    if (!orphan && !c.midstream && !c.subflows.empty()) {
      ++counters.unanswered;
      inspect::MptcpUse use;
      use.what = inspect::MptcpUse::What::kUnanswered;
      use.offered = c.mp->version;
      tell_use(c, use, c.last_ns);
    }
  }
  remove(c, recorded);
}

void Engine::State::remove_subflow(Subflow* f) {
  unindex_flow(*f, f->hash);
  forget_half_seen(*f);
  forget_tunnel(*f);
  forget_suspects(*f);
  if (f->extra) {
    for (const Alias& a : f->extra->aliases) unindex_alias(*f, a.hash, nullptr);
  }
  delete f;
}

/// Takes a connection out of every table; `recorded`: the observer has had its record.
void Engine::State::remove(Connection& c, bool recorded) {
  if (!recorded) observer.on_gone(c.number);
  held_memory -= std::min(held_memory, held_of(c));
  passed_memory -= passed_of(c);
  for (Subflow* f : c.subflows) {
    half_open_done(*f);
    remove_subflow(f);
  }
  c.subflows.clear();
  if (c.mp) {
    unindex_token(c, 0);
    unindex_token(c, 1);
    unindex_dsn(c);
    if (c.mp->unkeyed_state) {
      for (const std::uint32_t token : c.mp->unkeyed_state->orphan_tokens) {
        if (const auto found = orphans.find(token); found != orphans.end() && found->second == &c) orphans.erase(found);
      }
    }
  }
  lists[c.list].erase(lists[c.list].iterator_to(c));
  --connections;
  if (settings.inline_mode) numbers.erase(c.number);
  removed.emplace_back(&c);
}

void Engine::State::index_token(Connection& c, std::size_t host) {
  Connection*& head = tokens[c.mp->token[host]];
  if (head == &c) return;  // both hosts' tokens are equal: found under either
  c.mp->set_next_same_token(host, head);
  head = &c;
}

void Engine::State::unindex_token(Connection& c, std::size_t host) {
  if (!c.mp->has_token[host]) return;
  const std::uint32_t token = c.mp->token[host];
  const auto found = tokens.find(token);
  if (found == tokens.end()) return;
  const auto host_of = [&](const Connection& one) { return one.mp->has_token[0] && one.mp->token[0] == token ? 0U : 1U; };
  Connection* before = nullptr;
  for (Connection* at = found->second; at != nullptr; at = at->mp->next_same_token(host_of(*at))) {
    if (at != &c) {
      before = at;
      continue;
    }
    Connection* const next = c.mp->next_same_token(host_of(c));
    if (before == nullptr) {
      found->second = next;
    } else {
      before->mp->set_next_same_token(host_of(*before), next);
    }
    break;
  }
  if (found->second == nullptr) tokens.erase(found);
}

/// Of the end those before it are kept.
void Engine::State::note_size() {
  if (finished) return;
  counters.memory_bytes = memory();
  counters.tracked_connections = connections;
}

void Engine::State::finish_all() {
  note_size();
  finished = true;
  removed.clear();
  // Holds end first: what waited for keys may belong together by DSN.
  std::vector<Connection*> all;
  for (auto& list : lists) {
    for (Connection& c : list) all.push_back(&c);
  }
  std::ranges::sort(all, {}, &Connection::number);
  for (Connection* c : all) end(*c);
  removed.clear();
  plain_syns.clear();
}

}  // namespace weir::engine
