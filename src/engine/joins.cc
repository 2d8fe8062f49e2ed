// MP_JOIN (RFC 8684 §3.2): whose token, whose HMAC; JOINs whose connection is not known yet, or never.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

constexpr TimeNs kSecondNs = 1'000'000'000;

/// Whether JOINs that name this token count as opened by the server, in a connection whose keys are not known.
bool opener_of(const Connection& c, std::uint32_t token) {
  const auto named = std::ranges::find_if(c.subflows, [&](const Subflow* f) { return f->joining && f->joining->has_token && f->joining->token == token; });
  return named != c.subflows.end() && (*named)->opened_by_server;
}

bool has_nonce(const Subflow& f, std::uint32_t token, std::uint32_t nonce) {
  return f.joining && f.joining->has_token && f.joining->token == token && f.joining->has_nonce[kOpener] && f.joining->nonce[kOpener] == nonce;
}

}  // namespace

/// The live connection that the token names. Tokens can collide: one that has had this very JOIN, else the one used last; the HMACs
/// tell later.
Connection* Engine::State::by_token(std::uint32_t token, std::uint32_t nonce, PointId point) {
  (void)point;
  const auto found = tokens.find(token);
  if (found == tokens.end()) return nullptr;
  Connection* best = nullptr;
  for (Connection* c = found->second; c != nullptr;) {
    Mptcp& mp = *c->mp;
    const std::size_t host = mp.has_token[0] && mp.token[0] == token ? 0 : 1;
    if (std::ranges::any_of(c->subflows, [&](const Subflow* f) { return has_nonce(*f, token, nonce); })) return c;
    const bool alive = state_of(*c) == ConnectionState::kOpen;
    const bool best_alive = best != nullptr && state_of(*best) == ConnectionState::kOpen;
    if (best == nullptr || (alive && !best_alive) || (alive == best_alive && c->last_ns > best->last_ns)) best = c;
    c = mp.next_same_token(host);
  }
  return best;
}

Connection& Engine::State::orphan_of(std::uint32_t token, const Segment& s) {
  if (const auto found = orphans.find(token); found != orphans.end()) return *found->second;
  Connection& c = add_connection(s.time_ns, true);
  c.mp->orphan = true;
  c.mp->unkeyed().orphan_tokens.push_back(token);
  c.mp->version.reset();
  c.held = true;
  hold(c, limits.unknown_join_seconds * kSecondNs);
  orphans[token] = &c;
  return c;
}

/// Takes what a JOIN's SYN says of its subflow.
void Engine::State::note_join_syn(Subflow& f, const wire::mptcp::MpJoinSyn& join) {
  f.join = true;
  f.backup = f.backup || join.backup;
  f.address_id[kOpener] = join.address_id;
  if (!f.joining) f.joining = std::make_unique<JoinState>();
  f.joining->token = join.token;
  f.joining->has_token = true;
  f.joining->nonce[kOpener] = join.nonce;
  f.joining->has_nonce[kOpener] = true;
}

/// The SYN of a JOIN whose SYN/ACK was seen first: now it is known whose token it names.
void Engine::State::on_join_syn_late(Subflow& f, const wire::mptcp::MpJoinSyn& join) {
  note_join_syn(f, join);
  Connection& c = *f.connection;
  if (c.keyed || c.mp->orphan) return;
  if (Connection* known = by_token(join.token, join.nonce, 0); known != nullptr && known != &c) {
    if (c.held) absorb(*known, c, f.opened_by_server != (known->mp->has_token[0] && known->mp->token[0] == join.token), now_ns);
    return;
  }
  if (const auto waiting = orphans.find(join.token); waiting != orphans.end()) {
    if (c.held) absorb(*waiting->second, c, f.opened_by_server != opener_of(*waiting->second, join.token), now_ns);
    return;
  }
  c.mp->orphan = true;
  c.mp->unkeyed().orphan_tokens.push_back(join.token);
  orphans[join.token] = &c;
}

Fate Engine::State::on_join_syn(const Segment& s, const wire::mptcp::MpJoinSyn& join) {
  Connection* c = by_token(join.token, join.nonce, s.point);
  const bool known = c != nullptr;
  if (settings.inline_mode && !known) {
    refuse(Refusal::kJoinUnknownToken);
    raise_unknown(s, inspect::Event::join_unknown_token, {{"confirmed", false}});
    return Fate::kMptcp;
  }
  if (settings.inline_mode) {
    judged.connection = c->number;
    if (c->blocked[0] || c->blocked[1]) refuse(Refusal::kBlocked);
    if (c->fallen_back()) refuse(Refusal::kNotJoined);  // RFC 8684 §3.7: plain TCP has one subflow
    if (!judged.passes()) return Fate::kMptcp;
  }
  if (!known) c = &orphan_of(join.token, s);

  // The same JOIN behind a NAT, at another point; at the same point it is a replay (RFC 7430).
  bool replayed = false;
  for (Subflow* f : c->subflows) {
    if (!has_nonce(*f, join.token, join.nonce)) continue;
    if (known_view(*f, s.point) == nullptr) {
      if (flows.find(s.hash) == nullptr) {
        add_alias(*f, s, true);
        PointView& v = view(*f, s);
        note(v.side[kOpener], v.side[kAnswerer], *s.tcp, true, s.time_ns);
        touch(*c, s.time_ns);
        return Fate::kMptcp;
      }
    } else {
      replayed = true;
    }
  }
  if (replayed) {
    refuse(Refusal::kJoinReplay);
    raise(*c, inspect::Event::join_replay, s.time_ns, {{"src_ip", to_string(s.decoded->src)}, {"src_port", static_cast<std::uint64_t>(s.tcp->src_port)}});
    if (settings.inline_mode) return Fate::kMptcp;
  }
  if (c->subflows.size() >= static_cast<std::size_t>(limits.max_subflows)) {
    ++counters.dropped_subflows;
    refuse(Refusal::kSubflows);
    bool evicted = false;
    joins_to_host.at(s.decoded->dst, static_cast<std::size_t>(limits.watch_entries), evicted);
    return Fate::kMptcp;
  }

  if (settings.inline_mode) make_way(s, c);
  const bool by_server = opener_of(*c, join.token);
  Subflow& f = add_subflow(*c, s, true);
  ++counters.subflows;
  note_join_syn(f, join);
  f.has_isn[kOpener] = true;
  f.isn[kOpener] = s.tcp->seq;
  note_half_seen(f);
  // The token names the receiver of the SYN: a client's token means that the server opens.
  const Mptcp& mp = *c->mp;
  f.opened_by_server = known ? mp.has_token[0] && mp.token[0] == join.token && !(mp.has_token[1] && mp.token[1] == join.token) : by_server;
  note(f.home.side[kOpener], f.home.side[kAnswerer], *s.tcp, true, s.time_ns);
  f.home.side[kOpener].right_checksum = false;
  if (settings.several_points) {
    sight(f, kOpener, s, f.home, 1U << static_cast<unsigned>(wire::mptcp::Subtype::kMpJoin));
    compare_with_plain_syn(f, s);
  }
  c->mp->more().addresses.use(f.host(kOpener), join.address_id);
  count_half_open(f, s.time_ns);
  // The wait for this token's keys was over before: no more will tell.
  if (c->mp->orphan && !c->held && count_try(f, s.time_ns)) tell_unknown_token(*c, false, s.time_ns);
  judging(f, kOpener);
  touch(*c, s.time_ns);
  return Fate::kMptcp;
}

void Engine::State::on_join_syn_ack(Subflow& f, const Segment& s, const wire::mptcp::MpJoinSynAck& join) {
  if (!f.joining || f.joining->has_nonce[kAnswerer]) return;
  f.joining->nonce[kAnswerer] = join.nonce;
  f.joining->has_nonce[kAnswerer] = true;
  f.joining->syn_ack_hmac = join.hmac;
  f.address_id[kAnswerer] = join.address_id;
  f.backup = f.backup || join.backup;
  f.connection->mp->token_confirmed = true;
  f.connection->mp->more().addresses.use(f.host(kAnswerer), join.address_id);
  if (f.connection->mp->orphan && !f.connection->held) tell_unknown_token(*f.connection, true, s.time_ns);
  verify_join(f, &s);
  if (settings.inline_mode && f.phase == Phase::kFailed) {
    refuse(Refusal::kJoinHmac);
    f.phase = Phase::kSynSent;
    f.auth = Auth::kUnverified;
    f.joining->has_nonce[kAnswerer] = f.has_isn[kAnswerer] = false;
    f.joining->syn_ack_hmac.reset();
    f.isn[kAnswerer] = {};
    f.home.side[kAnswerer] = {};
  }
}

void Engine::State::on_join_ack(Subflow& f, const wire::mptcp::MpJoinAck& join, const Segment& s) {
  f.third_ack_judged = true;
  if (!f.joining) f.joining = std::make_unique<JoinState>();
  f.joining->ack_hmac = join.hmac;
  verify_join(f, &s);
  if (settings.inline_mode && f.phase == Phase::kFailed) {
    // It does not pass, so its receiver still waits for a right one.
    refuse(Refusal::kJoinHmac);
    f.phase = Phase::kSynReceived;
    f.auth = Auth::kUnverified;
    f.joining->ack_hmac.reset();
    f.third_ack_judged = false;
    return;
  }
  if (f.phase != Phase::kFailed) establish(f, s.time_ns);
}

/// Checks what is known of the handshake against the keys, if they are (RFC 8684 §3.2). With colliding tokens the HMAC of the SYN/ACK
/// chooses among the connections.
void Engine::State::verify_join(Subflow& f, const Segment* s) {
  if (!f.joining || !f.joining->has_nonce[kOpener] || !f.joining->has_nonce[kAnswerer]) return;
  const JoinState& j = *f.joining;
  const TimeNs now = s != nullptr ? s->time_ns : now_ns;
  const auto syn_ack_fits = [&](const Connection& c, bool by_server) {
    const std::size_t opener = by_server ? 1 : 0;
    return track::leftmost_64(track::join_hmac(c.mp->version.value_or(1), c.mp->key[1 - opener], c.mp->key[opener], j.nonce[kAnswerer], j.nonce[kOpener])) ==
           *j.syn_ack_hmac;
  };
  if (j.syn_ack_hmac && f.connection->keyed && !syn_ack_fits(*f.connection, f.opened_by_server)) {
    const auto found = tokens.find(j.token);
    for (Connection* c = found == tokens.end() ? nullptr : found->second; c != nullptr;) {
      const std::size_t host = c->mp->has_token[0] && c->mp->token[0] == j.token ? 0 : 1;
      Connection* next = c->mp->next_same_token(host);
      if (c != f.connection && c->keyed && syn_ack_fits(*c, host == 0)) {
        Connection& old = *f.connection;
        old.subflows.erase(std::ranges::find(old.subflows, &f));
        for (std::uint32_t i = 0; i < old.subflows.size(); ++i) old.subflows[i]->id = i;
        f.connection = c;
        f.opened_by_server = host == 0;
        f.id = static_cast<std::uint32_t>(c->subflows.size());
        c->subflows.push_back(&f);
        touch(*c, now);
        break;
      }
      c = next;
    }
  }
  Connection& c = *f.connection;
  if (!c.keyed) return;
  const std::size_t opener = f.opened_by_server ? 1 : 0;
  const std::uint8_t version = c.mp->version.value_or(1);
  const bool syn_ack_wrong = j.syn_ack_hmac && !syn_ack_fits(c, f.opened_by_server);
  const bool ack_wrong = j.ack_hmac && *j.ack_hmac != track::join_hmac(version, c.mp->key[opener], c.mp->key[1 - opener], j.nonce[kOpener], j.nonce[kAnswerer]);
  if (syn_ack_wrong || ack_wrong) {
    f.auth = Auth::kFailed;
    f.phase = Phase::kFailed;
    half_open_done(f);
    raise(c, inspect::Event::join_hmac_mismatch, now,
          {{"subflow", static_cast<std::uint64_t>(f.id)}, {"carrier", std::string(syn_ack_wrong ? "SYN/ACK" : "ACK")}});
    return;
  }
  if (j.syn_ack_hmac && j.ack_hmac) f.auth = Auth::kVerified;
}

/// Keys have become known: JOINs that named one of their tokens before belong here.
void Engine::State::adopt_orphans(Connection& c) {
  for (std::size_t host = 0; host < 2; ++host) {
    const auto found = orphans.find(c.mp->token[host]);
    if (found == orphans.end()) continue;
    Connection& orphan = *found->second;
    if (&orphan == &c || !orphan.held) continue;  // it was too late: it has its own record
    orphan.mp->orphan = false;
    // A token names the receiver of the SYN: so the JOINs tell which side is which. (JOINs of both may have been linked by their DSNs.)
    absorb(c, orphan, opener_of(orphan, c.mp->token[host]) != (host == 0), now_ns);
  }
}

void Engine::State::count_half_open(Subflow& f, TimeNs now) {
  Connection& c = *f.connection;
  const TimeNs window = limits.join_flood_seconds * kSecondNs;
  const auto what = static_cast<std::uint64_t>(f.joining->nonce[kOpener]) << 32U | static_cast<std::uint32_t>(f.hash);
  auto& half_open = c.mp->more().half_open;
  if (!half_open) half_open = std::make_unique<inspect::RecentTimes>();
  const auto of_connection = half_open->add(what, now, window, static_cast<std::size_t>(limits.join_flood_connection) + 1);
  bool evicted = false;
  auto& to_host = joins_to_host.at(f.endpoints.dst, static_cast<std::size_t>(limits.watch_entries), evicted);
  if (evicted) ++counters.evicted_watch;
  const auto of_host = to_host.add(what, now, window, static_cast<std::size_t>(limits.join_flood_host) + 1);
  if (std::cmp_greater(of_connection, limits.join_flood_connection)) {
    raise(c, inspect::Event::join_flood, now,
          {{"half_open", static_cast<std::uint64_t>(of_connection)}, {"limit", limits.join_flood_connection}, {"of", std::string("connection")}});
  } else if (std::cmp_greater(of_host, limits.join_flood_host)) {
    raise(c, inspect::Event::join_flood, now,
          {{"half_open", static_cast<std::uint64_t>(of_host)},
           {"limit", limits.join_flood_host},
           {"of", std::string("host")},
           {"host", to_string(f.endpoints.dst)}});
  }
}

void Engine::State::half_open_done(Subflow& f) {
  if (!f.join || !f.joining || !f.joining->has_nonce[kOpener] || !f.connection->mp) return;
  const auto what = static_cast<std::uint64_t>(f.joining->nonce[kOpener]) << 32U | static_cast<std::uint32_t>(f.hash);
  if (auto& extra = f.connection->mp->extra; extra && extra->half_open) {
    extra->half_open->remove(what);
    if (extra->half_open->empty()) extra->half_open.reset();
  }
  if (auto* to_host = joins_to_host.find(f.endpoints.dst)) to_host->remove(what);
}

/// The wait for the keys is over, or the input is: what is left are JOINs of a connection that was never seen.
void Engine::State::orphan_expired(Connection& c) {
  if (!c.mp || !c.mp->orphan) return;
  if (c.linked_by_dsn) return;  // the token belongs to a connection that was seen after all
  bool confirmed = false, tried = false;
  for (const Subflow* f : c.subflows) {
    if (!f->joining || !f->joining->has_nonce[kOpener]) continue;
    confirmed = confirmed || f->joining->has_nonce[kAnswerer];
    tried = count_try(*f, c.first_ns) || tried;
  }
  if (confirmed || tried) tell_unknown_token(c, confirmed, c.first_ns);
}

/// A JOIN with an unknown token. True: one of too many of that source.
bool Engine::State::count_try(const Subflow& f, TimeNs when) {
  bool evicted = false;
  auto& tries = unknown_joins.at(f.endpoints.src, static_cast<std::size_t>(limits.watch_entries), evicted);
  if (evicted) ++counters.evicted_watch;
  const auto n = tries.add(f.joining->nonce[kOpener], when, limits.unknown_token_seconds * kSecondNs, static_cast<std::size_t>(limits.unknown_token_tries) + 1);
  return std::cmp_greater_equal(n, limits.unknown_token_tries);
}

void Engine::State::tell_unknown_token(Connection& c, bool confirmed, TimeNs when) {
  raise(c, inspect::Event::join_unknown_token, when, {{"confirmed", confirmed}, {"joins", static_cast<std::uint64_t>(c.subflows.size())}});
}

}  // namespace weir::engine
