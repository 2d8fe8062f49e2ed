// One TCP segment: to its subflow, past the checks of a receiver, and its flags, options and payload taken.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

/// How far a pure ACK may lie beyond the window seen and still acknowledge.
constexpr std::int32_t kMissedWindowBytes = 1 << 20;

}  // namespace

std::uint64_t Engine::State::position(const Subflow& f, Side side, const PointView& v, SeqNum seq) const {
  const SeqNum isn = f.has_isn[side] && v.side[side].has_isn ? v.side[side].isn : f.isn[side];
  return unwrap((seq - isn.value).value, f.rx[side].next());
}

SeqNum Engine::State::sequence(const Subflow& f, Side side, const PointView& v, std::uint64_t at) const {
  const SeqNum isn = f.has_isn[side] && v.side[side].has_isn ? v.side[side].isn : f.isn[side];
  return isn + static_cast<std::uint32_t>(at);
}

Fate Engine::State::on_tcp(const Segment& s) {
  const wire::TcpFlags flags = s.tcp->flags;
  if (flags.syn() && !flags.ack()) return on_syn(s);
  Side side = kOpener;
  Subflow* f = find(s, side);
  if (f == nullptr) {
    f = other_direction_of_tunnel(s, side);
    if (f == nullptr) return on_unknown(s);
  }
  Subflow* const newest = f;
  f = generation_for(f, s, side);
  if (f != newest) side = side_of(*f, s, side);
  if (settings.inline_mode && !answers_lone_syn(*f, s, side)) return flags.syn() ? Fate::kOther : on_unknown(s);
  if (f->connection->quiet) return Fate::kOther;
  if (flags.syn()) return on_syn_ack(f, side, s);
  return on_segment(*f, side, s);
}

Fate Engine::State::on_segment(Subflow& f, Side side, const Segment& s) {
  Connection& c = *f.connection;
  const Fate fate = c.mptcp() ? Fate::kMptcp : Fate::kOther;
  PointView& v = view(f, s);
  track::TcpView& sender = v.side[side];
  track::TcpView& receiver = v.side[other(side)];
  const Trust trust = checksum_trust(s, &sender, &f, side);
  if (trust == Trust::kIgnore) return fate;
  const wire::TcpSegment& tcp = *s.tcp;
  if (settings.inline_mode) {
    judging(f, side);
    if ((tcp.payload_bytes != 0 && c.blocked[index(f.direction(side))]) || (is_half_open_of_blocked(f) && !tcp.flags.rst())) {
      refuse(Refusal::kBlocked);
      return fate;
    }
  }
  if (!c.mptcp()) ++c.plain(f.direction(side)).packets;
  touch(c, s.time_ns);
  if (f.isn[side] == SeqNum{} && !f.has_isn[side] && !f.rx[side].started() && f.rx[side].next() == reassemble::kFirstPosition) {
    // A direction whose beginning was not seen begins here, far up, so that earlier bytes have a position too.
    f.isn[side] = tcp.seq;
    f.rx[side].start_at(reassemble::kMidstreamPosition);
    f.anchored[side] = false;
  }

  SegmentOptions options;
  if (tcp.has_mptcp) options = read_options(&c, s);
  if (settings.inline_mode) {
    ends_told = {.side = side,
                 .fin = tcp.flags.fin(),
                 .rst = tcp.flags.rst(),
                 .data_fin = options.dss && options.dss->data_fin,
                 .fin_position = position(f, side, v, tcp.seq) + tcp.payload_bytes,
                 .fastclose_key = options.fastclose ? std::optional(options.fastclose->receiver_key) : std::nullopt};
  }
  if (settings.several_points && c.mptcp()) sight(f, side, s, v, options.subtypes);
  // Copies are held only of packets that do not stay, and let go of by any.
  const bool holds = held_memory != 0 || !s.stays;
  const std::uint64_t held_before = holds ? held_of(c) : 0;

  // With several points a RST ends what its own point shows: what another one shows later may have been sent before.
  if (f.phase == Phase::kFailed || f.silent || v.reset) {
    if (f.bad_checksum) on_mp_fail_only(f, side, s, options);
    ++counters.ignored_after_end;
    if (tcp.payload_bytes != 0) refuse(f.phase == Phase::kFailed ? Refusal::kNotJoined : Refusal::kAfterEnd);
    return fate;
  }
  if (settings.inline_mode) {
    if (c.mptcp() && is_signed(tcp)) refuse(Refusal::kMalformed);
    if (tcp.flags.rst()) {
      if (const Refusal refusal = option_refusal(f, side, options); refusal != Refusal::kNone) raise_refusal(f, side, s, options, refusal);
    }
    if (!judged.passes()) return fate;
  }
  if (tcp.flags.rst()) {
    on_rst(f, side, s, v, options);
    return fate;
  }
  if (settings.inline_mode && thrown_away(f, side, v, tcp)) return fate;
  track::Acceptance acceptance = track::judge(sender, receiver, tcp, s.time_ns, settings.inline_mode ? track::kPawsSecondsShort : track::kPawsSeconds);
  switch (acceptance) {
    case track::Acceptance::kNoAck:
      ++counters.ignored_no_ack;
      refuse(Refusal::kAck);
      return fate;
    case track::Acceptance::kBadAck:
      ++counters.ignored_bad_ack;
      refuse(Refusal::kAck);
      return fate;
    // These may still be good: between here and the receiver packets change order, and the capture may have missed some.
    case track::Acceptance::kPaws:
      ++counters.ignored_paws;
      break;
    case track::Acceptance::kDoubtfulAck:
      ++counters.ignored_bad_ack;
      break;
    case track::Acceptance::kDoubtfulWindow:
      ++counters.ignored_window;
      break;
    case track::Acceptance::kGood:
      break;
  }
  bool ahead = false;  // inline: it acknowledges what was not seen to be sent
  if (settings.inline_mode) {
    judged_of_host = is_of_host(f, side, s, v, options);
    judged_echoes_unseen = echoes_unseen(receiver, tcp);
    if (!takes_inline(f, side, s, v, options, acceptance)) return fate;
    ahead = acceptance == track::Acceptance::kDoubtfulAck;
    acceptance = track::Acceptance::kGood;
  }
  const bool good = acceptance == track::Acceptance::kGood && (trust == Trust::kUse || settings.inline_mode);
  // A pure ACK somewhat beyond the window seen here: the capture missed the ACK that opened it. If its number did not count, the two sides' doubts
  // would confirm each other for good. Its options do not count.
  const bool only_ahead = acceptance == track::Acceptance::kDoubtfulWindow && trust == Trust::kUse && tcp.payload_bytes == 0 && !tcp.flags.fin() &&
                          tcp.seq - receiver.right_edge < kMissedWindowBytes;
  const bool acknowledges = good || only_ahead;
  const bool old = tcp.payload_bytes == 0 ? receiver.has_ack && before(tcp.seq, receiver.last_ack)
                                          : receiver.has_ack && !after(tcp.seq + tcp.payload_bytes, receiver.last_ack);

  // RFC 8684 §3.2: nothing but the handshake before it is complete; a packet that is refused must not complete it.
  if (settings.inline_mode && f.join && !f.midstream && f.phase < Phase::kEstablished && (tcp.payload_bytes != 0 || tcp.flags.fin())) {
    refuse(Refusal::kNotJoined);
    return fate;
  }
  const bool third_ack_open = f.phase <= Phase::kSynReceived || (f.phase == Phase::kReset && !f.was_established);
  const bool completes = good && side == kOpener && third_ack_open && !f.third_ack_judged;
  // All of it is judged before its keys count, or that it completes the handshake.
  if (settings.inline_mode && completes && content_refused(f, side, s, v, options)) return fate;
  if (completes && on_third_ack(f, s, options)) return fate;
  if (settings.inline_mode && !judged.passes()) return fate;
  if (f.phase == Phase::kFailed) {
    note(sender, receiver, tcp, good, s.time_ns);
    return fate;
  }

  if (settings.inline_mode) {
    if (content_refused(f, side, s, v, options)) return fate;
    if (judged_of_host && (!c.guard || !c.guard->goes_by)) goes_on_after_reset(f, side);
    if (f.phase >= Phase::kEstablished) f.spoke[side] = true;
  }

  if (acknowledges && (f.has_isn[other(side)] || f.rx[other(side)].started())) {
    const std::uint64_t acked = position(f, other(side), v, tcp.ack);
    subflow_output.clear();
    // The FIN takes a sequence number, not a byte.
    const std::uint64_t fin_at = f.fin_position[other(side)];
    std::uint64_t acked_bytes = fin_at != 0 && acked > fin_at ? fin_at : acked;
    if (settings.inline_mode) acked_bytes = followed_ack(f, other(side), acked_bytes);
    // Whoever acknowledges data of a JOIN has taken it, seen third ACK or not.
    if (f.phase == Phase::kSynReceived && side == kAnswerer && f.rx[kOpener].top() > reassemble::kFirstPosition && acked > reassemble::kFirstPosition) {
      establish(f, s.time_ns);
    }
    f.rx[other(side)].acknowledged(acked_bytes, s.time_ns, subflow_output, limits);
    if (!subflow_output.consumed.empty()) pass_on(f, other(side), s.time_ns, s.point);
    let_go(f, other(side));
  }
  if (good) tell_options(f, side, s, options);
  if (c.mptcp() && options.any) on_options(f, side, s, options, old, good);
  if (c.mptcp() && good && !options.any) note_syn_window(f, side, tcp, v);
  if (f.silent) return fate;  // an option ended it
  if (tcp.payload_bytes != 0 && !(settings.inline_mode && passed_before(f, side, s, v))) {
    on_payload(f, side, s, v, options, !good);
    if (settings.inline_mode) {
      if (judged.refusal != Refusal::kDssChecksum) keep_passed(f, side, s, v, options);
      go_on_behind_unseen(f, side, s.time_ns);
    }
  }
  if (tcp.flags.fin() && good) on_fin(f, side, s, v);
  note(sender, receiver, tcp, acknowledges && (!ahead || (c.guard && c.guard->resumed)), s.time_ns);
  reach_fin(f, kOpener);
  reach_fin(f, kAnswerer);
  skip_gaps(f, s.time_ns);
  Connection& now_of = *f.connection;  // it may have been linked to another
  if (settings.stream_events) {
    tell_ack(now_of, Direction::kToServer, s.time_ns);
    tell_ack(now_of, Direction::kToClient, s.time_ns);
  }
  if (holds) held_memory += held_of(now_of) - held_before;
  return fate;
}

// RFC 5961 §3, RFC 9293 §3.10.7.
bool Engine::State::on_rst(Subflow& f, Side side, const Segment& s, PointView& v, const SegmentOptions& options) {
  Connection& c = *f.connection;
  const bool in_handshake = f.phase <= Phase::kSynReceived;
  std::uint64_t expected_at = f.rx[side].next();
  if (f.fin[side]) ++expected_at;
  const SeqNum expected = sequence(f, side, v, expected_at);
  if (!rst_acceptable(v.side[side], v.side[other(side)], *s.tcp, expected, in_handshake)) {
    ++counters.ignored_rst;
    return false;
  }
  if (options.fastclose && c.mptcp() && on_fastclose(f, side, s, *options.fastclose)) return true;
  if (c.mptcp()) on_mp_fail_only(f, side, s, options);
  if (in_handshake && !f.join && !c.answered && side == kAnswerer) {
    end(c);  // the SYN was refused: an unanswered one, without a record
    return true;
  }
  // Inline, its receiver may never have got the RST: what still comes is looked at.
  if (!settings.inline_mode) v.reset = true;
  if (!settings.several_points && !settings.inline_mode) f.silent = true;
  reset_subflow(f, side, s.time_ns);
  if (settings.inline_mode) guard(f).reset_ns[side] = s.time_ns;
  touch(c, s.time_ns);
  return true;
}

void Engine::State::reset_subflow(Subflow& f, Side side, TimeNs now) {
  Connection& c = *f.connection;
  end_subflow(f, Phase::kReset);
  // The last subflow's RST ends the connection (unless DATA_FINs did, which the state tells, or a JOIN that is under way completes).
  const bool others_live = std::ranges::any_of(c.subflows, [](const Subflow* g) { return g->live(); });
  if (!others_live && (f.was_established || !f.join)) {
    c.reset = true;
    const bool joining = std::ranges::any_of(c.subflows, [](const Subflow* g) { return g->join && g->phase < Phase::kEstablished; });
    if (!joining) tell_reset(c, f.direction(side), now);
  }
}

// A FIN counts in order: once everything before it was consumed.
void Engine::State::on_fin(Subflow& f, Side side, const Segment& s, const PointView& v) {
  const std::uint64_t at = position(f, side, v, s.tcp->seq) + s.tcp->payload_bytes;
  if (f.fin_position[side] != 0) return;
  if (static_cast<std::int64_t>(at - f.rx[side].next()) < 0) {
    ++counters.ignored_fin;
    return;
  }
  if (v.side[other(side)].has_edge && after(s.tcp->seq + s.tcp->payload_bytes, v.side[other(side)].right_edge)) {
    ++counters.ignored_fin;
    return;
  }
  f.fin_position[side] = at;
}

void Engine::State::reach_fin(Subflow& f, Side side) {
  if (f.fin_position[side] == 0 || f.fin[side]) return;
  if (f.rx[side].next() < f.fin_position[side]) return;
  f.fin[side] = true;
  Connection& c = *f.connection;
  // Fallen back, a FIN ends the stream, but not before what is still missing in it (finish_streams() tells it then).
  const bool ends_stream = !c.mptcp() || (c.fallen_back() && only_subflow(c, f) && !c.mp->data[index(f.direction(side))].waiting());
  if (ends_stream) tell_fin(c, f.direction(side), c.last_ns);
  if (f.fin[other(side)]) {
    end_subflow(f, Phase::kClosed);
    touch(c, c.last_ns);
  }
}

void Engine::State::end_subflow(Subflow& f, Phase phase) {
  if (f.phase == Phase::kReset || f.phase == Phase::kFailed) return;
  f.phase = phase;
  half_open_done(f);
}

}  // namespace weir::engine
