// SYN, SYN/ACK and third ACK of first subflows: keys, versions, refusal (RFC 8684 §3.1).
#include <algorithm>
#include <utility>

#include "engine/state.h"

namespace weir::engine {

namespace {

using wire::mptcp::MpCapable;

/// In place of a version: the client's SYN, sent again, offers MPTCP no more.
constexpr std::uint8_t kOfferWithdrawn = 0xff;

/// Silent for so long, a host may have lost a connection whose end was not seen. Linux sends a SYN again after 1, 3, 7, 15 and 31 seconds.
constexpr std::uint32_t kForgottenSeconds = 30;

}  // namespace

Fate Engine::State::on_syn(const Segment& s) {
  Side side = kOpener;
  Subflow* f = find(s, side);
  if (f == nullptr && !s.tcp->has_mptcp && !settings.all_tcp && !settings.several_points) return Fate::kOther;
  if (checksum_trust(s, nullptr, nullptr, kOpener) == Trust::kIgnore) return f != nullptr && f->connection->mptcp() ? Fate::kMptcp : Fate::kOther;

  if (settings.inline_mode && s.tcp->payload_bytes != 0) {
    refuse(Refusal::kSynData);
    return Fate::kMptcp;
  }
  if (settings.inline_mode && !ended_flows.empty()) ended_flows.erase(s.hash);
  // The same SYN again: a retransmission, or another capture point, or its SYN/ACK was seen before it.
  for (Subflow* g = f; g != nullptr && side == kOpener; g = g->older) {
    const PointView* known = known_view(*g, s.point);
    const bool same_here = known != nullptr && known->side[kOpener].has_isn && known->side[kOpener].isn == s.tcp->seq;
    // Inline, a plain SYN that may never have arrived hides none that offers MPTCP.
    if (settings.inline_mode && g->connection->quiet && s.tcp->has_mptcp) continue;
    if (same_here || (g->has_isn[kOpener] && g->isn[kOpener] == s.tcp->seq)) return on_syn_again(*g, s);
  }
  if (Subflow* answered = half_seen_as(s, false); answered != nullptr && f == nullptr) {
    add_alias(*answered, s, true);
    return on_syn_again(*answered, s);
  }

  SegmentOptions options;
  if (s.tcp->has_mptcp) options = read_options(nullptr, s);
  judged.opens_subflow = options.join_syn.has_value();
  if (settings.inline_mode && syn_refusal(options, *s.tcp)) {
    refuse(Refusal::kMalformed);
    return Fate::kMptcp;
  }
  if (options.join_syn) return on_join_syn(s, *options.join_syn);
  const bool offers = options.capable.has_value();
  judged.opens_connection = offers;
  if (!offers && settings.several_points) {
    // Seen from its middle before, at a point whose clock runs ahead? Then this SYN is its beginning.
    for (Subflow* g = f; g != nullptr && side == kOpener; g = g->older) {
      if (g->midstream && !g->connection->quiet && g->connection->mptcp() && known_view(*g, s.point) == nullptr) return Fate::kMptcp;
    }
    remember_plain_syn(s);
  }
  if (!offers && !settings.all_tcp) {
    if (f == nullptr) return Fate::kOther;
    if (side != kOpener && !f->ended()) return Fate::kOther;
  }

  if (settings.inline_mode) make_way(s, nullptr);
  Connection& c = add_connection(s.time_ns, offers);
  c.quiet = !offers && !settings.all_tcp;
  Subflow& added = add_subflow(c, s, true);
  added.has_isn[kOpener] = true;
  added.isn[kOpener] = s.tcp->seq;
  note(added.home.side[kOpener], added.home.side[kAnswerer], *s.tcp, true, s.time_ns);
  added.home.side[kOpener].right_checksum = false;
  judging(added, kOpener);
  if (!offers) {
    if (!c.quiet) {
      ++counters.flows;
      ++c.plain(Direction::kToServer).packets;
      added.rx[kOpener].fall_back(reassemble::kFirstPosition, reassemble::kFirstPosition);
      added.rx[kAnswerer].fall_back(reassemble::kFirstPosition, reassemble::kFirstPosition);
      if (s.tcp->payload_bytes != 0) on_payload(added, kOpener, s, added.home, options, false);
    }
    return Fate::kOther;
  }
  ++counters.subflows;
  Mptcp& mp = *c.mp;
  mp.offered_version = options.capable->version;
  mp.version = options.capable->version;
  mp.checksum = options.capable->checksum_required;
  if (settings.several_points) {
    sight(added, kOpener, s, added.home, options.subtypes);
    compare_with_plain_syn(added, s);
    note_half_seen(added);
  }
  tell_handshake(c, Handshake::kSyn, s.time_ns);
  if (options.capable->sender_key) {  // v0
    set_key(c, 0, *options.capable->sender_key);
    if (Subflow* same = same_first_subflow(added, s, 0)) {
      merge(*same, added);
      return Fate::kMptcp;
    }
  }
  if (s.tcp->payload_bytes != 0) added.more().syn_data = reassemble::KeptBytes(s.tcp->payload, s.stays);
  return Fate::kMptcp;
}

Fate Engine::State::on_syn_again(Subflow& f, const Segment& s) {
  if (f.connection->quiet) return Fate::kOther;
  const bool known_here = known_view(f, s.point) != nullptr;
  const bool first_seen =
      !f.home.side[kOpener].has_isn && std::ranges::none_of(f.extra ? std::span<const PointView>(f.extra->more_points) : std::span<const PointView>{},
                                                            [](const PointView& v) { return v.side[kOpener].has_isn; });
  PointView& v = view(f, s);
  SegmentOptions options;
  if (s.tcp->has_mptcp) options = read_options(f.connection, s);
  const bool mptcp = f.connection->mptcp();
  judging(f, kOpener);
  if (settings.inline_mode && is_half_open_of_blocked(f)) {
    refuse(Refusal::kBlocked);
    return Fate::kMptcp;
  }
  if (settings.inline_mode && mptcp && (syn_refusal(options, *s.tcp) || other_kind(f, options))) {
    refuse(Refusal::kOtherTerms);
    return Fate::kMptcp;
  }
  if (settings.inline_mode && mptcp && options.capable) {
    // Its receiver may have got either.
    const Mptcp& known = *f.connection->mp;
    const bool other_key = options.capable->sender_key && known.has_key[0] && known.key[0] != *options.capable->sender_key;
    if (other_key || options.capable->version != known.offered_version || (options.capable->checksum_required && !known.checksum)) {
      refuse(Refusal::kOtherTerms);
      return Fate::kMptcp;
    }
  }
  judged.opens_connection = options.capable.has_value();
  judged.opens_subflow = options.join_syn.has_value();
  if (settings.several_points && mptcp) sight(f, kOpener, s, v, options.subtypes);
  note(v.side[kOpener], v.side[kAnswerer], *s.tcp, true, s.time_ns);
  touch(*f.connection, s.time_ns);
  if (!mptcp) return Fate::kOther;
  Mptcp& mp = *f.connection->mp;
  if (first_seen) {
    // The SYN/ACK came first, at a point of its own: what the SYN says is still to be taken.
    if (options.capable) {
      mp.offered_version = options.capable->version;
      mp.checksum = mp.checksum || options.capable->checksum_required;
      if (options.capable->sender_key) set_key(*f.connection, 0, *options.capable->sender_key);
      become_keyed(*f.connection);
    }
    if (options.join_syn) on_join_syn_late(f, *options.join_syn);
  } else if (!f.join && !options.any && known_here && f.phase == Phase::kSynSent) {
    mp.offered_version = kOfferWithdrawn;
  }
  return Fate::kMptcp;
}

/// Inline: whether two receivers may read such a SYN in two ways, or none takes it.
bool Engine::State::syn_refusal(const SegmentOptions& options, const wire::TcpSegment& tcp) {
  const auto has = [&](wire::mptcp::Subtype subtype) { return (options.subtypes >> static_cast<unsigned>(subtype) & 1U) != 0; };
  const bool opens = has(wire::mptcp::Subtype::kMpCapable) || has(wire::mptcp::Subtype::kMpJoin);
  const bool both = has(wire::mptcp::Subtype::kMpCapable) && has(wire::mptcp::Subtype::kMpJoin);
  return both || (opens && (options.ambiguous || is_signed(tcp)));
}

/// Whether a SYN of the same numbers opens something else than the one that passed: its receiver may have got either.
bool Engine::State::other_kind(const Subflow& f, const SegmentOptions& options) {
  if (!f.join) return options.join_syn.has_value();
  if (!options.join_syn) return true;
  if (!f.joining || !f.joining->has_token || !f.joining->has_nonce[kOpener]) return false;
  return f.joining->token != options.join_syn->token || f.joining->nonce[kOpener] != options.join_syn->nonce;
}

/// RFC 5961 §4: a host answers a SYN where it has a connection by an ACK of that one. So whoever was heard there a moment ago does not answer a new SYN,
/// unless the connection is over; should its end have gone by unseen, the SYN comes again later.
bool Engine::State::answers_in_use(const Subflow& f, const Segment& s) const {
  const Subflow* const older = f.older;
  if (!settings.inline_mode || f.phase != Phase::kSynSent || older == nullptr || !older->live() || older->connection->quiet) return false;
  return was_heard(*older, side_of(*older, s, kAnswerer), s.time_ns);
}

bool Engine::State::was_heard(const Subflow& f, Side side, TimeNs now) {
  const track::TcpView& host = f.home.side[side];
  return host.seen && std::cmp_less(track::silent_seconds(host, now), kForgottenSeconds);
}

/// Of whoever sends that packet. Of a handshake that is answered, too: its host knows of it. Where that one was never seen, its peer has to do.
bool Engine::State::runs_here(const Segment& s) {
  Side newest = kOpener;
  for (const Subflow* f = find(s, newest); f != nullptr; f = f->older) {
    if (f->ended() || f->phase == Phase::kSynSent || f->connection->quiet) continue;
    const Side side = side_of(*f, s, kAnswerer);
    if (was_heard(*f, f->home.side[side].seen ? side : other(side), s.time_ns)) return true;
  }
  return false;
}

bool Engine::refuses_answer(const RawPacket& packet) {
  State& state = *state_;
  wire::Decoded& decoded = state.batch[0];
  wire::decode(packet, decoded);
  if (decoded.kind != wire::Kind::kTcp) return false;
  Segment s;
  s.raw = &packet;
  s.decoded = &decoded;
  s.tcp = &decoded.tcp;
  s.time_ns = packet.time_ns;
  const auto key = track::make_flow_key(decoded.src, decoded.tcp.src_port, decoded.dst, decoded.tcp.dst_port, decoded.tunnel, s.from_low);
  s.hash = track::hash_flow_key(key, state.settings.hash_seed);
  if (!state.runs_here(s)) return false;
  ++state.refused[static_cast<std::size_t>(Refusal::kOtherTerms)];
  return true;
}

/// Inline, at most two uses of a tuple are kept: before another SYN, one that no one answered goes, or what was there before an answered one.
void Engine::State::make_way(const Segment& s, const Connection* stays) {
  const FlowRef* const ref = flows.find(s.hash);
  if (ref == nullptr) return;
  Subflow* gone = ref->newest->phase == Phase::kSynSent ? ref->newest : ref->newest->older;
  if (gone == nullptr) return;
  Connection& c = *gone->connection;
  if (&c != stays && c.subflows.size() == 1 && !gone->join) {
    end(c);
    return;
  }
  unindex_flow(*gone, gone->hash);
  gone->older = nullptr;
  end_subflow(*gone, Phase::kReset);
  gone->silent = true;
  touch(c, s.time_ns);
}

Fate Engine::State::on_syn_ack(Subflow* f, Side side, const Segment& s) {
  const bool option_seen = s.tcp->has_mptcp;
  if (f == nullptr || side == kOpener) {
    if (f != nullptr) return f->connection->mptcp() ? Fate::kMptcp : Fate::kOther;
    return on_unknown(s);
  }
  Connection& c = *f->connection;
  const Fate fate = c.mptcp() ? Fate::kMptcp : Fate::kOther;
  PointView& v = view(*f, s);
  judging(*f, side);
  if (checksum_trust(s, &v.side[kAnswerer], f, kAnswerer) == Trust::kIgnore) return fate;
  SegmentOptions options;
  if (option_seen) options = read_options(&c, s);
  if (s.tcp->payload_bytes != 0) refuse(Refusal::kSynData);
  if (options.ambiguous) refuse(Refusal::kMalformed);
  if (is_half_open_of_blocked(*f)) refuse(Refusal::kBlocked);
  if (answers_in_use(*f, s)) refuse(Refusal::kOtherTerms);
  if (settings.inline_mode && !judged.passes()) return fate;
  // It answers this SYN (RFC 9293 §3.10.7.3): acknowledges it, or the data in it too.
  const bool answers = !f->has_isn[kOpener] || (v.side[kOpener].has_isn ? s.tcp->ack - v.side[kOpener].isn : s.tcp->ack - f->isn[kOpener]) > 0;
  if (answers && f->ended() && f->join && options.join_syn_ack) {
    // Another point has shown its end before: it is still told whether it was authentic.
    note(v.side[kAnswerer], v.side[kOpener], *s.tcp, true, s.time_ns);
    on_join_syn_ack(*f, s, *options.join_syn_ack);
    return fate;
  }
  if (!answers || f->ended()) {
    ++counters.ignored_bad_ack;
    return fate;
  }
  if (f->phase == Phase::kSynSent || !f->has_isn[kAnswerer]) {
    if (f->has_isn[kAnswerer] && f->isn[kAnswerer] != s.tcp->seq && known_view(*f, s.point) == &f->home) return fate;
    if (!f->has_isn[kAnswerer] && !f->rx[kAnswerer].started()) {
      f->has_isn[kAnswerer] = true;
      f->isn[kAnswerer] = s.tcp->seq;
    }
    if (f->phase == Phase::kSynSent) f->phase = Phase::kSynReceived;
  } else if (v.side[kAnswerer].has_isn && v.side[kAnswerer].isn != s.tcp->seq) {
    refuse(Refusal::kOtherTerms);
    return fate;  // another SYN/ACK than the one taken: the client answers it with a challenge ACK
  }
  const bool first_here = !v.side[kAnswerer].has_isn;
  const bool first = !c.answered;
  if (settings.several_points && c.mptcp()) sight(*f, kAnswerer, s, v, options.subtypes);
  if (!c.mptcp()) ++c.plain(f->direction(kAnswerer)).packets;
  note(v.side[kAnswerer], v.side[kOpener], *s.tcp, true, s.time_ns);
  note_syn_window(*f, kAnswerer, *s.tcp, v);
  c.answered = true;
  touch(c, s.time_ns);
  if (!c.mptcp()) return fate;

  if (f->join) {
    if (options.join_syn_ack) {
      on_join_syn_ack(*f, s, *options.join_syn_ack);
    } else if (first_here && !f->answered_without_option && f->joining && !f->joining->has_nonce[kAnswerer]) {
      f->answered_without_option = true;
      if (!c.mp->orphan) answered_without_option(*f, s.time_ns);
    }
    return fate;
  }
  if (!first && !options.capable) return fate;
  Mptcp& mp = *c.mp;
  take_syn_data(*f, s, v);
  tell_handshake(c, Handshake::kSynAck, s.time_ns);
  if (!options.capable || mp.offered_version == kOfferWithdrawn) {
    if (first) {
      if (mp.offered_version == kOfferWithdrawn) mp.version.reset();
      c.refused = true;
      follow_plainly(*f, kOpener, reassemble::kFirstPosition + f->ssn_base(kOpener));
      follow_plainly(*f, kAnswerer, reassemble::kFirstPosition);
    }
    return fate;
  }
  const MpCapable& answer = *options.capable;
  const std::uint64_t host = IpAddressHash{}(s.decoded->src);
  auto& best = answered_version[host];
  const bool lower_than_before = answer.version < mp.offered_version && best > answer.version + 1;
  const bool lower_than_elsewhere = !first && mp.version && answer.version < *mp.version;
  if (lower_than_before || lower_than_elsewhere) {
    raise(c, inspect::Event::version_downgrade, s.time_ns,
          {{"offered", static_cast<std::uint64_t>(mp.offered_version)}, {"answered", static_cast<std::uint64_t>(answer.version)}});
  }
  best = std::max<std::uint8_t>(best, static_cast<std::uint8_t>(answer.version + 1));
  if (answered_version.size() > static_cast<std::size_t>(limits.watch_entries)) {
    answered_version.clear();
    ++counters.evicted_watch;
  }
  if (c.refused) {
    // At the first point the option was gone, at this one it is there: stripped in between; what the client got decides.
    return fate;
  }
  if (first && answer.version != mp.offered_version) {
    mp.version = answer.version;
    fall_back(c, FallbackReason::kVersion, s.time_ns);
    follow_plainly(*f, kOpener, reassemble::kFirstPosition + f->ssn_base(kOpener));
    follow_plainly(*f, kAnswerer, reassemble::kFirstPosition);
    return fate;
  }
  if (answer.version != mp.offered_version) return fate;
  mp.version = answer.version;
  mp.checksum = mp.checksum || answer.checksum_required;
  if (answer.sender_key && !mp.has_key[1]) {
    set_key(c, 1, *answer.sender_key);
    if (Subflow* same = same_first_subflow(*f, s, 1); same != nullptr && &merge(*same, *f) == same) return fate;
  }
  if (mp.has_key[0] && mp.has_key[1]) become_keyed(c);
  return fate;
}

/// The same first subflow at another capture point, behind a NAT: it has the same key and has not been seen at this point.
Subflow* Engine::State::same_first_subflow(Subflow& f, const Segment& s, std::size_t host) {
  if (!settings.several_points) return nullptr;
  const Connection& mine = *f.connection;
  const auto found = tokens.find(mine.mp->token[host]);
  if (found == tokens.end()) return nullptr;
  for (Connection* c = found->second; c != nullptr;) {
    Mptcp& mp = *c->mp;
    std::size_t which = 2;
    for (std::size_t h = 0; h < 2; ++h) {
      if (mp.has_token[h] && mp.token[h] == mine.mp->token[host]) which = h;
    }
    if (c != &mine && which == host && mp.key[host] == mine.mp->key[host] && !c->subflows.empty() && mp.offered_version == mine.mp->offered_version) {
      Subflow* g = c->subflows.front();
      // One host may use a key again: at one point that is another connection.
      const bool seen_here = known_view(*g, s.point) != nullptr;
      const bool other_key_agrees = !mp.has_key[1 - host] || !mine.mp->has_key[1 - host] || mp.key[1 - host] == mine.mp->key[1 - host];
      const bool isn_agrees =
          !g->has_isn[kOpener] || g->isn[kOpener] == f.isn[kOpener] || (mp.has_key[0] && mp.has_key[1] && mine.mp->has_key[0] && mine.mp->has_key[1]);
      if (!g->join && !seen_here && other_key_agrees && isn_agrees) return g;
    }
    c = which < 2 ? mp.next_same_token(which) : nullptr;
  }
  return nullptr;
}

/// true: the subflow turned out to be one that is known already, and is gone.
// RFC 8684 §3.1: the third ACK carries both keys; if it, or the first data, carries nothing of MPTCP, the server falls back.
bool Engine::State::on_third_ack(Subflow& f, const Segment& s, const SegmentOptions& options) {
  Connection& c = *f.connection;
  if (settings.inline_mode && f.join && c.fallen_back()) {
    refuse(Refusal::kNotJoined);
    return false;
  }
  if (!c.mptcp() || c.fallen_back()) {
    if (f.phase == Phase::kSynReceived || f.has_isn[kAnswerer]) {
      f.third_ack_judged = true;
      establish(f, s.time_ns);
    }
    return false;
  }
  if (f.join) {
    if (options.join_ack) {
      on_join_ack(f, *options.join_ack, s);
    } else if (f.phase == Phase::kSynReceived && options.dss) {
      // The third ACK was not seen; whether the JOIN completed is told by what the other side acknowledges.
    }
    return false;
  }
  const bool answered = f.phase == Phase::kSynReceived;
  if (!answered && !options.any) return false;
  f.third_ack_judged = true;
  if (options.capable && options.capable->sender_key) {
    take_keys(c, *options.capable, 0);
    // Told only by both keys: a box rewrote sequence numbers as well.
    if (Subflow* same = same_first_subflow(f, s, 0); same != nullptr && !f.gave_data && c.subflows.size() == 1 && same->connection->number < c.number) {
      merge(*same, f);
      return true;
    }
    become_keyed(c);
    establish(f, s.time_ns);
    return false;
  }
  if (options.dss || options.any) {
    establish(f, s.time_ns);
    if (c.mp->has_key[0] && c.mp->has_key[1]) become_keyed(c);
    return false;
  }
  fall_back(c, FallbackReason::kNoOptionInAck, s.time_ns);
  follow_plainly(f, kOpener, reassemble::kFirstPosition + f.ssn_base(kOpener));
  follow_plainly(f, kAnswerer, reassemble::kFirstPosition);
  establish(f, s.time_ns);
  return false;
}

void Engine::State::set_key(Connection& c, std::size_t host, std::uint64_t key) {
  Mptcp& mp = *c.mp;
  if (mp.has_key[host]) return;
  mp.has_key[host] = true;
  mp.key[host] = key;
  const auto digest = track::digest_key(key, mp.version.value_or(1));
  mp.token[host] = digest.token;
  mp.has_token[host] = true;
  index_token(c, host);
  auto& data = mp.data[host];  // the client's key numbers what the client sends
  if (!data.has_origin()) data.set_origin(digest.idsn + 1);
  widen(c, static_cast<Direction>(host), digest.idsn + 1);  // the client's key numbers what goes to the server
  data.rebase(digest.idsn + 1);
}

/// Takes both keys of a third ACK or first data (`sender_host` sent it).
void Engine::State::take_keys(Connection& c, const MpCapable& option, std::size_t sender_host) {
  Mptcp& mp = *c.mp;
  if (!mp.version || c.midstream) mp.version = option.version;
  mp.checksum = mp.checksum || option.checksum_required;
  if (option.sender_key) set_key(c, sender_host, *option.sender_key);
  if (option.receiver_key) set_key(c, 1 - sender_host, *option.receiver_key);
}

void Engine::State::become_keyed(Connection& c) {
  Mptcp& mp = *c.mp;
  if (c.keyed || !mp.has_key[0] || !mp.has_key[1]) return;
  c.keyed = true;
  for (Subflow* f : c.subflows) {
    if (!f->join && f->auth == Auth::kUnverified) f->auth = Auth::kVerified;
    for (auto& rx : f->rx) rx.use_checksums(mp.checksum, settings.inline_mode);
  }
  // JOINs may have been put here by their DSNs before: now they can be judged, while nothing of theirs is delivered.
  const std::vector<Subflow*> linked(c.subflows.begin(), c.subflows.end());
  for (Subflow* f : linked) {
    if (f->join && f->auth == Auth::kUnverified) verify_join(*f, nullptr);
    if (f->phase != Phase::kFailed || f->connection != &c) continue;
    for (auto& data : mp.data) data.drop_subflow(f->id);
  }
  if (c.held) release_hold(c, now_ns);
  adopt_orphans(c);
}

void Engine::State::establish(Subflow& f, TimeNs now) {
  if (f.phase == Phase::kReset && !f.was_established) {  // its end was shown before by another point
    f.was_established = true;
    ++f.connection->established_subflows;
  }
  if (f.phase >= Phase::kEstablished) return;
  f.phase = Phase::kEstablished;
  if (!f.was_established) ++f.connection->established_subflows;
  f.was_established = true;
  half_open_done(f);
  Connection& c = *f.connection;
  c.answered = true;  // the SYN/ACK may have been missed
  if (!c.mptcp()) return;
  for (auto& rx : f.rx) rx.use_checksums(c.mp->checksum, settings.inline_mode);
  c.reset = false;  // the RST of the last subflow before it was not the end
  if (!f.join) {
    if (!c.held) tell_handshake(c, Handshake::kEstablished, now);
    return;
  }
  if (f.opened_by_server && !c.mp->orphan) {
    raise(c, inspect::Event::opened_by_server, now, {{"subflow", static_cast<std::uint64_t>(f.id)}});
  }
  const auto live = std::ranges::count_if(c.subflows, [](const Subflow* g) { return g->live(); });
  tell_use_of_subflow(f, static_cast<std::size_t>(live), now);
  if (live > limits.subflow_excess) {
    raise(c, inspect::Event::subflow_excess, now, {{"subflows", static_cast<std::int64_t>(live)}, {"limit", limits.subflow_excess}});
  }
}

/// TCP Fast Open: what the SYN/ACK acknowledges of the octets in the SYN comes before IDSN + 1 and has no SSN (RFC 8684 appendix B).
void Engine::State::take_syn_data(Subflow& f, const Segment& s, const PointView& v) {
  if (!f.extra || f.extra->syn_data.bytes().empty()) return;
  const reassemble::KeptBytes data = std::move(f.extra->syn_data);
  const SeqNum isn = v.side[kOpener].has_isn ? v.side[kOpener].isn : f.isn[kOpener];
  const std::int32_t acked = s.tcp->ack - (isn + 1);
  if (acked <= 0 || f.rx[kOpener].started()) return;
  const std::size_t size = std::min(data.bytes().size(), static_cast<std::size_t>(acked));
  Mptcp& mp = *f.connection->mp;
  const std::size_t way = index(f.direction(kOpener));
  mp.more().syn_data[way] = static_cast<std::uint32_t>(size);
  f.set_ssn_base(kOpener, size);
  f.rx[kOpener].start_at(reassemble::kFirstPosition + size);
  f.gave_data = true;
  auto& stream = mp.data[way];
  reassemble::Arrival early;  // the key that gives kFirst its DSN may still come

  early.position = reassemble::DataReceiver::kFirst - size;
  early.bytes = data.bytes().first(size);
  early.size = static_cast<std::uint32_t>(size);
  early.stays = data.stays();
  early.time_ns = s.time_ns;
  data_output.clear();
  stream.arrive(early, limits, data_output);
}

/// Before any DATA_ACK the window counts from what the other side has acknowledged so far: the first byte, at the beginning.
void Engine::State::note_syn_window(Subflow& f, Side side, const wire::TcpSegment& tcp, const PointView& v) {
  Connection& c = *f.connection;
  if (!c.mptcp() || c.mp->orphan) return;
  auto& data = c.mp->data[index(reverse(f.direction(side)))];
  if (!data.has_origin() || !c.keyed) return;
  const bool scaling = v.side[side].offered_scale && v.side[other(side)].offered_scale;
  if (!v.side[side].has_isn && !scaling) return;
  std::uint64_t window = tcp.flags.syn() || !scaling ? tcp.window : static_cast<std::uint64_t>(tcp.window) << v.side[side].window_scale;
  if (!data.has_ack()) window = std::max<std::uint64_t>(window, v.side[side].syn_window);  // what the SYN offered stands
  const std::uint64_t from = data.has_ack() ? data.acked() : reassemble::DataReceiver::kFirst;
  data.window(from + window);
}

}  // namespace weir::engine
