// What is known of packets that went by unseen, and, inline, who can have said so.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

/// How far a timestamp that is echoed may be from the newest one seen: hours by milliseconds, seconds by microseconds.
constexpr std::int32_t kNearTicks = 1 << 24;

}  // namespace

/// Whether packets of the connection went by that were not seen: how far its hosts have opened their windows is then not known for certain.
bool Engine::State::missed(const Connection& c) const {
  if (c.midstream) return true;
  if (c.mptcp() && (c.mp->data[0].gap_bytes() != 0 || c.mp->data[1].gap_bytes() != 0)) return true;
  const auto any_skipped = [](const auto& guard) { return !guard.skipped[0].empty() || !guard.skipped[1].empty(); };
  if (c.guard) {
    const ConnectionGuard& g = *c.guard;
    if (g.resumed || g.goes_by || any_skipped(g)) return true;
    for (std::size_t d = 0; c.mptcp() && d < 2; ++d) {
      if (g.unseen[d] != 0 && g.unseen[d] > c.mp->data[d].next()) return true;
    }
  }
  return std::ranges::any_of(c.subflows, [&](const Subflow* f) {
    if (!f->guard) return false;
    const auto ahead = [&](Side side) { return f->guard->unseen[side] > f->rx[side].next(); };
    return any_skipped(*f->guard) || ahead(kOpener) || ahead(kAnswerer);
  });
}

/// Whether its sender has heard of a time that `receiver` was not seen to tell: a packet went by, and may have opened the window.
bool Engine::State::echoes_unseen(const track::TcpView& receiver, const wire::TcpSegment& tcp) {
  return tcp.has_timestamp && receiver.has_ts && static_cast<std::int32_t>(tcp.ts_echo - receiver.ts_newest) > 0;
}

/// Whether a packet says what no one who does not see the connection's packets can guess: all of a DATA_ACK, or the very number that its sender
/// stands at; and times, where the hosts tell each other.
bool Engine::State::is_of_host(const Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options) const {
  const wire::TcpSegment& tcp = *s.tcp;
  const track::TcpView& peer = v.side[other(side)];
  if (v.side[side].has_ts && peer.has_ts) {
    const std::int32_t distance = tcp.has_timestamp ? static_cast<std::int32_t>(tcp.ts_echo - peer.ts_newest) : kNearTicks;
    if (distance >= kNearTicks || distance <= -kNearTicks) return false;
  }
  const Connection& c = *f.connection;
  if (c.mptcp() && !c.fallen_back() && options.dss && options.dss->data_ack && options.dss->data_ack->wide) {
    const auto& data = c.mp->data[index(reverse(f.direction(side)))];
    if (data.has_origin() && data.believable_ack(data.position(options.dss->data_ack->value))) return true;
  }
  const bool ended = f.fin_position[side] != 0 && f.fin_position[side] <= f.rx[side].top();
  return tcp.seq == sequence(f, side, v, f.rx[side].top() + (ended ? 1U : 0U));
}

/// Beyond the window seen, but perhaps not beyond the one that its sender knows of: the receiver has acknowledged what was not seen here, or was heard by
/// the sender and not here.
bool Engine::State::may_be_ahead(const Subflow& f, Side side, const PointView& v, const wire::TcpSegment& tcp) const {
  if (!settings.follow_unseen) return false;
  const track::TcpView& receiver = v.side[other(side)];
  const std::uint32_t widest = 0xffffU << (receiver.offered_scale && v.side[side].offered_scale ? receiver.window_scale : 0U);
  if (f.guard && f.guard->unseen[side] > f.rx[side].next() && !after(tcp.seq, sequence(f, side, v, f.guard->unseen[side]) + widest)) return true;
  return echoes_unseen(receiver, tcp) && !after(tcp.seq, receiver.right_edge + widest);
}

}  // namespace weir::engine
