// Inline: segments that their receiver throws away for certain, and bytes that were passed over.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

constexpr std::uint8_t kMd5Option = 19, kAuthenticationOption = 29;  // RFC 2385, RFC 5925

}  // namespace

/// Of a kind that no MPTCP subflow has: its receiver has no key for it and drops the segment.
bool Engine::State::is_signed(const wire::TcpSegment& tcp) {
  return wire::OptionWalker(tcp.options).next(kMd5Option) || wire::OptionWalker(tcp.options).next(kAuthenticationOption);
}

/// Whether its receiver answers it with an ACK and looks no further: all of it lies before what that has acknowledged (RFC 9293 §3.10.7.4), or it
/// acknowledges what is older than any window (RFC 5961 §5). It passes, as a probe of an idle connection does, and says nothing.
bool Engine::State::thrown_away(Subflow& f, Side side, const PointView& v, const wire::TcpSegment& tcp) {
  const track::TcpView& sender = v.side[side];
  const track::TcpView& receiver = v.side[other(side)];
  const std::uint32_t length = tcp.payload_bytes + (tcp.flags.fin() ? 1U : 0U);
  if (receiver.has_ack && before(tcp.seq + length, receiver.last_ack)) {
    const std::uint64_t at = position(f, side, v, tcp.seq);
    if (f.guard && length != 0 && was_skipped(f.guard->skipped[side], at, at + length)) refuse(Refusal::kSkipped);
    // What was acknowledged and never seen here is looked at all the same.
    return length == 0 || at + length <= f.rx[side].next() || !judged.passes();
  }
  if (!tcp.flags.ack() || !sender.has_ack || !sender.scale_known) return false;
  const std::uint32_t largest_window = 0xffffU << (sender.offered_scale && receiver.offered_scale ? sender.window_scale : 0U);
  if (!before(tcp.ack, sender.last_ack - largest_window)) return false;
  if (length != 0) refuse(Refusal::kAck);
  return true;
}

/// What its receiver had before this process may be sent again on a subflow that it has not got it by: if that were refused, the subflow stood still.
template <typename Guard>
void Engine::State::remember_skipped(Guard& guard, std::size_t which, std::uint64_t begin, std::uint64_t end) {
  if (static_cast<std::int64_t>(end - begin) <= 0) return;
  std::vector<Skipped>& skipped = guard.skipped[which];
  if (end <= guard.settled[which]) {
    guard.resumed_at[which] = std::max(guard.resumed_at[which], end);
    return;
  }
  if (!skipped.empty() && (skipped.back().end == begin || skipped.size() >= kMostSkipped)) {
    skipped.back().end = end;
  } else {
    skipped.push_back({begin, end});
  }
}

bool Engine::State::was_skipped(const std::vector<Skipped>& skipped, std::uint64_t begin, std::uint64_t end) {
  return std::ranges::any_of(skipped, [&](const Skipped& s) { return s.begin < end && begin < s.end; });
}

/// Passes over the first gap of a subflow's direction, if its time has come.
bool Engine::State::skip_gap(Subflow& f, Side side, TimeNs now, TimeNs wait) {
  auto& rx = f.rx[side];
  const std::uint64_t begin = rx.next();
  const std::uint64_t end = rx.waiting() ? rx.queue()->front().begin : begin;
  subflow_output.clear();
  if (!rx.skip_gap(now, wait, false, limits, subflow_output)) return false;
  if (settings.inline_mode) remember_skipped(guard(f), side, begin, end);
  pass_on(f, side, now, f.home.point);
  return true;
}

/// The same of a stream.
bool Engine::State::skip_gap(Connection& c, Direction d, TimeNs now, TimeNs wait) {
  auto& data = c.mp->data[index(d)];
  const std::uint64_t begin = data.next();
  const std::uint64_t end = data.waiting() ? data.queue()->front().begin : begin;
  data_output.clear();
  if (!data.skip_gap(now, wait, false, limits, data_output)) return false;
  if (settings.inline_mode) remember_skipped(guard(c), index(d), begin, end);
  give(c, d, now);
  return true;
}

}  // namespace weir::engine
