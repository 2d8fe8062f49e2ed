// Inline: whether a packet may pass, and what ends a connection from its middle (judgement.h).
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

/// No stream has gone further between a state and what came after it: beyond, an acknowledgement is not taken for one of that time.
constexpr std::uint64_t kMostSettled = 1U << 28U;

/// So long no host may say otherwise, until what anyone may have said counts: hosts repeat an ACK with each segment behind a hole, and with each of their
/// timers.
constexpr TimeNs kUncontradicted = 1'000'000'000;

}  // namespace

void Engine::State::refuse(Refusal refusal) {
  if (settings.inline_mode && judged.refusal == Refusal::kNone) judged.refusal = refusal;
}

/// Whose packet is under way.
void Engine::State::judging(const Subflow& f, Side side) {
  judged_held |= f.connection->held;
  judged.connection = f.connection->number;
  judged.subflow = f.id;
  judged.direction = f.direction(side);
  judged.fallen_back = f.connection->fallen_back();
  judged_delivered = f.connection->mptcp() ? delivered_bytes(*f.connection, index(judged.direction)) : 0;
  judged_next = f.rx[side].next();
}

/// A match refuses the packet that completed it, after the streams have taken that: no host gets these octets.
void Engine::State::withhold(std::uint32_t payload_bytes) {
  Connection* const c = by_number(judged.connection);
  if (c == nullptr || !c->mptcp()) return;
  const std::size_t d = index(judged.direction);
  const std::uint64_t delivered = delivered_bytes(*c, d);
  guard(*c).counted.withheld_bytes[d] += delivered - std::min(delivered, judged_delivered);
  for (Subflow* f : c->subflows) {
    if (f->id != judged.subflow) continue;
    const Side side = f->direction(kOpener) == judged.direction ? kOpener : kAnswerer;
    guard(*f).withheld_bytes[side] += std::min<std::uint64_t>(payload_bytes, f->rx[side].next() - judged_next);
  }
}

Connection* Engine::State::by_number(std::uint64_t number) const {
  const auto found = numbers.find(number);
  return found == numbers.end() ? nullptr : found->second;
}

bool Engine::State::follows_unseen(const Connection& c) const { return settings.follow_unseen || (c.guard && c.guard->resumed); }

void Engine::State::remember_ended(const Connection& c) {
  if (ended_flows.size() + c.subflows.size() > static_cast<std::size_t>(limits.watch_entries)) {
    erase_if(ended_flows, [&](const auto& entry) { return now_ns - entry.second > limits.idle_seconds * 1'000'000'000; });
    if (ended_flows.size() + c.subflows.size() > static_cast<std::size_t>(limits.watch_entries)) {
      ended_flows.clear();
      ++counters.evicted_watch;
    }
  }
  for (const Subflow* f : c.subflows) ended_flows[f->hash] = now_ns;
}

bool Engine::State::ended_before(const Segment& s) {
  const auto found = ended_flows.find(s.hash);
  return found != ended_flows.end() && s.time_ns - found->second <= limits.idle_seconds * 1'000'000'000;
}

/// An old ACK may still be the one that told the sender of its window.
void Engine::State::note_old_window(Subflow& f, Side side, const wire::TcpSegment& tcp, PointView& v, const SegmentOptions& options) {
  track::TcpView& sender = v.side[side];
  if (!sender.has_edge || !sender.scale_known) return;
  const bool scaling = sender.offered_scale && v.side[other(side)].offered_scale;
  const std::uint32_t window = scaling ? static_cast<std::uint32_t>(tcp.window) << sender.window_scale : tcp.window;
  if (after(tcp.ack, v.side[other(side)].sent_end)) return;
  if (after(tcp.ack + window, sender.right_edge)) sender.right_edge = tcp.ack + window;
  const Connection& c = *f.connection;
  if (!c.mptcp() || !options.dss || !options.dss->data_ack) return;
  auto& data = c.mp->data[index(reverse(f.direction(side)))];
  if (!data.has_origin() || !data.has_edge()) return;
  const auto& ack = *options.dss->data_ack;
  const std::uint64_t at = data.position(ack.wide ? ack.value : extend(static_cast<std::uint32_t>(ack.value), DataSeq{data.dsn(data.near_ack())}).value);
  if (data.believable_ack(at) && static_cast<std::int64_t>(at - data.next()) <= 0) data.window(at + window);
}

/// Whether the packet counts. What does not, is refused, but for old ACKs that changed order on the way: these pass, and say nothing.
bool Engine::State::takes_inline(Subflow& f, Side side, const Segment& s, PointView& v, const SegmentOptions& options, track::Acceptance acceptance) {
  const wire::TcpSegment& tcp = *s.tcp;
  const Connection& c = *f.connection;
  const track::TcpView& receiver = v.side[other(side)];
  const bool bare = tcp.payload_bytes == 0 && !tcp.flags.fin();
  if (acceptance == track::Acceptance::kPaws) {
    if (!bare || !options.others.empty() || options.fastclose || options.join_ack) {
      refuse(Refusal::kPaws);
    } else {
      note_old_window(f, side, tcp, v, options);
    }
    return false;
  }
  if (acceptance == track::Acceptance::kDoubtfulAck && !follows_unseen(c)) {
    followed_ack(f, other(side), position(f, other(side), v, tcp.ack));
    refuse(Refusal::kAck);
  }
  if (receiver.has_edge && after(tcp.seq, receiver.right_edge)) {
    // The subflows of a connection share its window: what the sender knows of it may have come on another one (RFC 8684 §3.3.5).
    const reassemble::DataReceiver* const data = c.mptcp() && !c.fallen_back() ? &c.mp->data[index(f.direction(side))] : nullptr;
    const bool shared = data != nullptr && data->has_edge() && data->has_ack() &&
                        !after(tcp.seq, receiver.last_ack + static_cast<std::uint32_t>(std::min<std::uint64_t>(data->edge() - data->acked(), 1U << 30U)));
    if (!shared && !may_be_ahead(f, side, v, tcp)) {
      ++counters.ignored_window;
      refuse(Refusal::kWindow);
    }
  }
  if (judged.passes()) {
    const Refusal refusal = option_refusal(f, side, options);
    if (refusal != Refusal::kNone) raise_refusal(f, side, s, options, refusal);
  }
  return judged.passes();
}

/// What no host that belongs there would send.
Refusal Engine::State::option_refusal(const Subflow& f, Side side, const SegmentOptions& options) const {
  if (options.ambiguous) return Refusal::kMalformed;
  const Connection& c = *f.connection;
  if (!c.mptcp() || !options.any) return Refusal::kNone;
  const Mptcp& mp = *c.mp;
  const std::size_t host = f.host(side);
  const std::size_t peer = 1 - host;
  const auto other_key = [&](std::size_t whose, const std::optional<std::uint64_t>& key) { return key && mp.has_key[whose] && mp.key[whose] != *key; };
  if (options.capable) {
    if (options.dss && options.dss->mapping) return Refusal::kMalformed;  // two mappings
    // Which of the flags its receiver goes by differs: SYN, SYN/ACK and what follows must agree (RFC 8684 §3.1).
    if (!c.midstream && c.answered && !c.fallen_back() && options.capable->checksum_required != mp.checksum) return Refusal::kOtherTerms;
    if (other_key(host, options.capable->sender_key) || other_key(peer, options.capable->receiver_key)) return Refusal::kOtherTerms;
  }
  if (options.fastclose && other_key(peer, options.fastclose->receiver_key)) return Refusal::kForgedFastclose;
  const bool complete = !c.midstream && !(c.guard && c.guard->resumed);  // all that its hosts said was seen
  for (const wire::mptcp::Option& option : options.others) {
    if (const auto* add = std::get_if<wire::mptcp::AddAddr>(&option)) {
      if (add_addr_forged(c, host, *add)) return Refusal::kForgedAddAddr;
    } else if (const auto* remove = std::get_if<wire::mptcp::RemoveAddr>(&option)) {
      const auto unknown = [&](std::byte id) { return !knows_address(c, host, std::to_integer<std::uint8_t>(id)); };
      if (complete && std::ranges::any_of(remove->address_ids, unknown)) return Refusal::kForgedRemoveAddr;
    } else if (const auto* prio = std::get_if<wire::mptcp::MpPrio>(&option)) {
      if (prio->address_id && *prio->address_id != f.address_id[side]) return Refusal::kForgedMpPrio;
    } else if (std::holds_alternative<wire::mptcp::MpFail>(option)) {
      if (!mp.checksum && complete && !c.fallen_back()) return Refusal::kForgedMpFail;
    }
  }
  return Refusal::kNone;
}

/// The end of a stream stands in one place only, and behind all that passed.
Refusal Engine::State::fin_refusal(const Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options) const {
  if (s.tcp->flags.fin()) {
    const std::uint64_t at = position(f, side, v, s.tcp->seq) + s.tcp->payload_bytes;
    const std::uint64_t top = f.rx[side].top();
    // Picked up behind its FIN, which comes again: nothing was seen that stands elsewhere.
    const bool again = !f.has_isn[side] && top == reassemble::kMidstreamPosition && at + 1 == top;
    if (f.fin_position[side] != 0 ? at != f.fin_position[side] : at < top && !again) return Refusal::kSegmentConflict;
  }
  const Connection& c = *f.connection;
  if (!c.mptcp() || c.fallen_back() || c.midstream || !options.dss || !options.dss->data_fin || !options.dss->mapping || options.dss->mapping->length == 0) {
    return Refusal::kNone;
  }
  if (f.join && !f.spoke[side] && f.phase < Phase::kEstablished) return Refusal::kNotJoined;
  const auto& data = c.mp->data[index(f.direction(side))];
  if (!data.has_origin()) return Refusal::kNone;
  const auto& m = *options.dss->mapping;
  const std::uint64_t dsn = m.wide ? m.dsn : extend(static_cast<std::uint32_t>(m.dsn), DataSeq{data.dsn(data.here())}).value;
  const std::uint64_t at = data.position(dsn + m.length - 1);
  if (data.has_fin() && at != data.fin_position()) return Refusal::kDsnConflict;
  const std::uint64_t passed = c.guard ? std::max(c.guard->passed[index(f.direction(side))].top(), data.top()) : data.top();
  if (at < passed) return Refusal::kDsnConflict;
  const bool beyond = data.has_edge() && data.started() && at > data.next() && at > data_edge(c, f.direction(side));
  return beyond && (!settings.follow_unseen || window_known(c)) ? Refusal::kDataWindow : Refusal::kNone;
}

/// Judges what an acceptable segment carries; true: it is refused.
bool Engine::State::content_refused(Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options) {
  if (!judged.passes()) return true;
  Refusal refusal = fin_refusal(f, side, s, v, options);
  if (refusal == Refusal::kNone && s.tcp->payload_bytes != 0) refusal = payload_refusal(f, side, s, v, options);
  if (refusal != Refusal::kNone) raise_refusal(f, side, s, options, refusal);
  return !judged.passes();
}

/// A JOIN whose handshake was under way when a rule matched carries nothing, whatever completes it.
bool Engine::State::is_half_open_of_blocked(const Subflow& f) const {
  return f.join && f.phase < Phase::kEstablished && (f.connection->blocked[0] || f.connection->blocked[1]);
}

/// Refuses, and tells of it under the event's name that the catalogue has.
void Engine::State::raise_refusal(Subflow& f, Side side, const Segment& s, const SegmentOptions& options, Refusal refusal) {
  refuse(refusal);
  Connection& c = *f.connection;
  if (!c.mptcp()) return;
  const inspect::Detail where{{"subflow", static_cast<std::uint64_t>(f.id)}, {"ssn", position(f, side, f.home, s.tcp->seq) - f.ssn_base(side)}};
  switch (refusal) {
    case Refusal::kSegmentConflict:
      raise(c, inspect::Event::segment_overlap_conflict, s.time_ns, where);
      break;
    case Refusal::kDsnConflict:
      raise(c, inspect::Event::dsn_overlap_conflict, s.time_ns, where);
      break;
    case Refusal::kMappingConflict:
      raise(c, inspect::Event::mapping_conflict, s.time_ns, where);
      break;
    case Refusal::kUnmapped:
    case Refusal::kMappingAhead:
      raise(c, inspect::Event::data_unmapped, s.time_ns, where);
      break;
    case Refusal::kDataWindow:
      if (window_known(c)) raise(c, inspect::Event::dsn_out_of_window, s.time_ns, where);
      break;
    case Refusal::kForgedFastclose:
      on_fastclose(f, side, s, *options.fastclose);
      break;
    case Refusal::kForgedAddAddr:
    case Refusal::kForgedRemoveAddr:
    case Refusal::kForgedMpPrio:
    case Refusal::kForgedMpFail:
      for (const wire::mptcp::Option& option : options.others) {
        if (const auto* add = std::get_if<wire::mptcp::AddAddr>(&option); add != nullptr && refusal == Refusal::kForgedAddAddr) on_add_addr(f, side, s, *add);
        if (const auto* remove = std::get_if<wire::mptcp::RemoveAddr>(&option); remove != nullptr && refusal == Refusal::kForgedRemoveAddr)
          on_remove_addr(f, side, s, *remove);
        if (const auto* prio = std::get_if<wire::mptcp::MpPrio>(&option); prio != nullptr && refusal == Refusal::kForgedMpPrio)
          tell_foreign_prio(f, side, s, *prio);
      }
      if (refusal == Refusal::kForgedMpFail) raise(c, inspect::Event::mp_fail, s.time_ns, {{"subflow", static_cast<std::uint64_t>(f.id)}, {"forged", true}});
      break;
    default:
      break;
  }
}

/// Whether `acked`, which reaches beyond `next`, is of what passed before this process: all that the hosts have by the time they have settled.
bool Engine::State::had_passed(const Connection& c, std::uint64_t& settled, std::uint64_t acked, std::uint64_t next) const {
  if (judged_of_host && c.guard && now_ns < c.guard->settles_until_ns && acked - next <= kMostSettled) settled = std::max(settled, acked);
  return acked <= settled;
}

void Engine::State::tell_unseen(const Connection& c, bool settled) { judged.unseen_path |= !settled || !c.guard || !c.guard->excused; }

// What a host acknowledges and did not get through here: it counts only once the sender was seen to go on behind it, so that no receiver can
// make its own stream pass unseen by acknowledging ahead. Until then it changes nothing. No connection is ended for what anyone may have sent.
std::uint64_t Engine::State::followed_ack(Subflow& f, Side acked_side, std::uint64_t acked) {
  const auto& rx = f.rx[acked_side];
  if (judged_of_host && f.guard && f.guard->unproven[acked_side] != 0) {
    // What someone said is what the host says; or it was not the host.
    if (acked >= f.guard->unproven[acked_side]) tell_unseen(*f.connection, f.guard->unproven[acked_side] <= f.guard->settled[acked_side]);
    f.guard->unproven[acked_side] = 0;
  }
  if (static_cast<std::int64_t>(acked - rx.next()) <= 0) return acked;
  const bool settled = had_passed(*f.connection, guard(f).settled[acked_side], acked, rx.next());
  if (rx.top() >= acked) {
    bool stands = judged_of_host;
    if (judged_of_host) {
      tell_unseen(*f.connection, settled);
    } else {
      // A host whose numbers are not known for certain says it again, and nothing else meanwhile.
      SubflowGuard& g = guard(f);
      if (g.unproven[acked_side] == 0) g.unproven_since_ns[acked_side] = now_ns;
      g.unproven[acked_side] = acked;
      stands = now_ns - g.unproven_since_ns[acked_side] >= kUncontradicted;
    }
    if (stands && follows_unseen(*f.connection)) return acked;
  }
  if (judged_of_host) guard(f).unseen[acked_side] = acked;
  return rx.acked();
}

std::optional<std::uint64_t> Engine::State::followed_data_ack(Connection& c, Direction d, std::uint64_t at, bool wide) {
  const auto& data = c.mp->data[index(d)];
  if (!data.started() && c.midstream) return at;
  const std::uint64_t next = data.started() ? data.next() : reassemble::DataReceiver::kFirst;
  const std::uint64_t reached = data.has_fin() && data.fin_position() == next ? next + 1 : next;
  if (static_cast<std::int64_t>(at - reached) <= 0) return at;
  if (!wide && !judged_of_host) return std::nullopt;  // half of a DATA_ACK can be guessed
  const bool settled = had_passed(c, guard(c).settled[index(d)], at, reached);
  if (data.top() >= at) {
    tell_unseen(c, settled);
    if (follows_unseen(c)) return at;
  }
  guard(c).unseen[index(d)] = at;
  return std::nullopt;
}

void Engine::State::go_on_behind_unseen(Subflow& f, Side side, TimeNs now) {
  Connection& c = *f.connection;
  const bool follows = follows_unseen(c);
  if (f.guard && f.guard->unseen[side] > f.rx[side].next() && f.rx[side].top() >= f.guard->unseen[side]) {
    tell_unseen(c, f.guard->unseen[side] <= f.guard->settled[side]);
    if (follows) {
      subflow_output.clear();
      f.rx[side].acknowledged(f.guard->unseen[side], now, subflow_output, limits);
      pass_on(f, side, now, f.home.point);
      skip_gap(f, side, now, 0);
      let_go(f, side);
    }
  }
  const Direction d = f.direction(side);
  if (!c.guard || !c.mptcp()) return;
  auto& data = c.mp->data[index(d)];
  if (!data.started() || c.guard->unseen[index(d)] <= data.next() || data.top() < c.guard->unseen[index(d)]) return;
  tell_unseen(c, c.guard->unseen[index(d)] <= c.guard->settled[index(d)]);
  if (!follows) return;
  data_output.clear();
  data.acknowledged(c.guard->unseen[index(d)], now, limits, data_output);
  give(c, d, now);
  let_go(c, d);
}

Judgement Engine::judge(const RawPacket& packet) {
  State& state = *state_;
  state.judged = {};
  state.judged_held = false;
  state.ends_told = {};
  state.under_way = true;
  Fate fate = Fate::kOther;
  state.step(std::span(&packet, 1), std::span(&fate, 1));
  const wire::Decoded& decoded = state.batch[0];
  if (state.judged_held) {
    // What waits for keys would be looked at too late.
    if (Connection* c = state.by_number(state.judged.connection); c != nullptr) state.release_hold(*c, packet.time_ns);
  }
  state.under_way = false;
  if (const Connection* const c = state.by_number(state.judged.connection)) state.judged.over = State::ended_by_both(*c);
  state.judged.fate = fate;
  if (state.judged.refusal == Refusal::kRule) state.withhold(decoded.tcp.payload_bytes);
  state.judged.payload = decoded.kind == wire::Kind::kTcp && decoded.tcp.payload_bytes != 0;
  if (!state.judged.passes()) ++state.refused[static_cast<std::size_t>(state.judged.refusal)];
  return state.judged;
}

void Engine::block(std::uint64_t connection, Direction d) {
  Connection* const c = state_->by_number(connection);
  if (c == nullptr) return;
  c->blocked[index(d)] = true;
  if (state_->under_way) state_->refuse(Refusal::kRule);
}

void Engine::forget(std::uint64_t connection) {
  if (Connection* const c = state_->by_number(connection)) state_->remove(*c, false);
}

std::vector<Endpoints> Engine::half_open(std::uint64_t connection) const {
  std::vector<Endpoints> all;
  if (const Connection* const c = state_->by_number(connection)) {
    for (const Subflow* f : c->subflows) {
      if (f->phase < Phase::kEstablished) all.push_back(f->endpoints);
    }
  }
  return all;
}

std::uint64_t Engine::refused(Refusal refusal) const { return state_->refused[static_cast<std::size_t>(refusal)]; }

std::optional<ConnectionKeys> Engine::keys(std::uint64_t connection) const {
  const Connection* const c = state_->by_number(connection);
  if (c == nullptr || !c->mptcp()) return std::nullopt;
  const Mptcp& mp = *c->mp;
  ConnectionKeys keys;
  keys.version = mp.version.value_or(1);
  for (std::size_t host = 0; host < 2; ++host) {
    if (mp.has_key[host]) keys.key[host] = mp.key[host];
    if (mp.has_token[host]) keys.token[host] = mp.token[host];
  }
  return keys;
}

std::uint64_t Engine::connection_of(std::uint32_t token) const {
  const Connection* const c = state_->by_token(token, 0, 0);
  return c != nullptr && state_->state_of(*c) == ConnectionState::kOpen ? c->number : 0;
}

std::vector<Ending> Engine::endings(std::uint64_t connection) const {
  const State& state = *state_;
  std::vector<Ending> all;
  const Connection* const c = state.by_number(connection);
  if (c == nullptr) return all;
  for (const Subflow* f : c->subflows) {
    if (!f->live()) continue;
    for (const Side side : {kOpener, kAnswerer}) {
      const Side peer = other(side);
      const track::TcpView& mine = f->home.side[side];
      const track::TcpView& its = f->home.side[peer];
      Ending e;
      e.host = f->host(side);
      e.subflow = f->id;
      e.endpoints = f->endpoints;
      if (peer == kAnswerer) e.endpoints = {f->endpoints.dst, f->endpoints.src, f->endpoints.dst_port, f->endpoints.src_port};
      e.seq = state.sequence(*f, peer, f->home, f->rx[peer].next() + (f->fin[peer] ? 1U : 0U));
      e.acked = mine.has_ack ? mine.last_ack : e.seq;
      e.ack = its.has_ack ? its.last_ack : state.sequence(*f, side, f->home, f->rx[side].next());
      if (its.has_edge && its.has_ack) {
        const bool scaling = its.offered_scale && mine.offered_scale;
        const auto window = static_cast<std::uint32_t>(its.right_edge - its.last_ack) >> (scaling ? its.window_scale : 0U);
        e.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(window, 0xffff));
      }
      e.has_timestamps = mine.has_ts && its.has_ts;
      e.ts_value = its.ts_recent;
      e.ts_echo = mine.ts_recent;
      e.fallen_back = !c->mptcp() || c->fallen_back();
      if (c->mptcp()) {
        e.version = c->mp->version.value_or(1);
        if (c->mp->has_key[e.host]) e.key = c->mp->key[e.host];
        const auto& data = c->mp->data[index(f->direction(side))];
        if (!e.fallen_back && data.has_origin()) e.data_ack = data.dsn(data.has_ack() ? data.acked() : data.first());
      }
      all.push_back(e);
    }
  }
  return all;
}

}  // namespace weir::engine
