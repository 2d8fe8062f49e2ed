#include "track/tcp_view.h"

namespace weir::track {

namespace {

/// Linux lets a timestamp be older by one tick.
constexpr std::int32_t kPawsSlackTicks = 1;

/// Beyond it nothing is compared with the ISN any more: half the numbers come after it, and then again before it. The largest window of RFC 7323 §2.2.
constexpr std::int32_t kFarBytes = 1 << 30;

std::uint32_t segment_length(const wire::TcpSegment& segment) {
  return segment.payload_bytes + (segment.flags.syn() ? 1U : 0U) + (segment.flags.fin() ? 1U : 0U);
}

/// A timestamp recorded so long ago may have come around since.
bool is_outdated(const TcpView& sender, TimeNs now_ns, std::uint32_t paws_s) {
  return static_cast<std::int32_t>(seconds(now_ns) - sender.ts_recent_s) >= static_cast<std::int32_t>(paws_s);
}

}  // namespace

std::int32_t silent_seconds(const TcpView& sender, TimeNs now_ns) { return static_cast<std::int32_t>(seconds(now_ns) - sender.heard_s); }

Acceptance judge(const TcpView& sender, const TcpView& receiver, const wire::TcpSegment& segment, TimeNs now_ns, std::uint32_t paws_s) {
  if (!segment.flags.ack() && !segment.flags.rst()) return Acceptance::kNoAck;
  if (sender.has_ts && segment.has_timestamp && sender.ts_recent != 0 && !segment.flags.rst() && !is_outdated(sender, now_ns, paws_s) &&
      static_cast<std::int32_t>(sender.ts_recent - segment.ts_value) > kPawsSlackTicks) {
    return Acceptance::kPaws;
  }
  if (segment.flags.ack()) {
    if (receiver.has_isn && !receiver.far && !after(segment.ack, receiver.isn)) return segment.flags.rst() ? Acceptance::kGood : Acceptance::kBadAck;
    if (receiver.seen && after(segment.ack, receiver.sent_end)) return Acceptance::kDoubtfulAck;
  }
  if (receiver.has_edge && after(segment.seq, receiver.right_edge)) return Acceptance::kDoubtfulWindow;
  return Acceptance::kGood;
}

void note(TcpView& sender, const TcpView& receiver, const wire::TcpSegment& segment, bool good, TimeNs now_ns) {
  const SeqNum end = segment.seq + segment_length(segment);
  if (segment.flags.syn()) {
    sender.isn = segment.seq;
    sender.has_isn = true;
    sender.scale_known = true;
    sender.syn_window = segment.window;
    sender.offered_scale = segment.window_scale.has_value();
    sender.window_scale = segment.window_scale.value_or(0);
    sender.mss = segment.mss.value_or(536);  // RFC 9293 §3.7.1; IPv6 has 1,220
  }
  const bool in_place = !sender.seen || segment.seq == sender.sent_end;
  if (!sender.seen || after(end, sender.sent_end)) {
    // Where bytes went by unseen it goes on by leaps, and could leap over the numbers that tell.
    if (sender.seen && !segment.flags.syn() && end - sender.sent_end >= kFarBytes) sender.far = true;
    sender.sent_end = end;
  }
  sender.seen = true;
  const bool silent_for_long = silent_seconds(sender, now_ns) >= static_cast<std::int32_t>(kPawsSecondsShort);
  sender.heard_s = seconds(now_ns);
  // Who does not see the connection's packets knows neither the number that its sender stands at nor its times, and cannot move these.
  if (segment.has_timestamp && !segment.flags.rst() &&
      (silent_for_long || !sender.has_ts || (in_place && static_cast<std::int32_t>(segment.ts_value - sender.ts_newest) > 0))) {
    sender.ts_newest = segment.ts_value;
  }
  if (sender.has_isn && sender.sent_end - sender.isn >= kFarBytes) sender.far = true;
  if (!good) return;
  if (segment.flags.ack() && !segment.flags.rst()) {
    if (!sender.has_ack || after(segment.ack, sender.last_ack)) sender.last_ack = segment.ack;
    sender.has_ack = true;
    if (!sender.has_edge && sender.has_isn && receiver.has_isn) {
      // What the SYN offered stands, though a later window be smaller (RFC 9293 §3.8.6: a receiver should not shrink it, but scaling rounds).
      sender.right_edge = receiver.isn + 1 + sender.syn_window;
      sender.has_edge = true;
    }
    // Both sides must offer scaling for either to use it (RFC 7323 §2.2); a SYN's own window is never scaled.
    const bool scaling = sender.offered_scale && receiver.offered_scale;
    const bool known = segment.flags.syn() || (sender.scale_known && (receiver.scale_known || !sender.offered_scale));
    if (known) {
      const std::uint32_t window = segment.flags.syn() || !scaling ? segment.window : static_cast<std::uint32_t>(segment.window) << sender.window_scale;
      const SeqNum edge = segment.ack + window;
      if (!sender.has_edge || after(edge, sender.right_edge)) sender.right_edge = edge;
      sender.has_edge = true;
    }
  }
  // RFC 7323 §4.3: the timestamp of a segment that does not begin beyond what was acknowledged last.
  if (segment.has_timestamp && !segment.flags.rst()) {
    const bool records = segment.flags.syn() || (receiver.has_ack && !after(segment.seq, receiver.last_ack));
    if (records && (!sender.has_ts || static_cast<std::int32_t>(segment.ts_value - sender.ts_recent) >= 0 || is_outdated(sender, now_ns, kPawsSeconds))) {
      sender.ts_recent = segment.ts_value;
      sender.ts_recent_s = seconds(now_ns);
      sender.has_ts = true;
    }
  }
}

bool rst_acceptable(const TcpView& sender, const TcpView& receiver, const wire::TcpSegment& segment, SeqNum expected, bool in_handshake) {
  if (in_handshake) {
    // RFC 9293 §3.10.7.3: an answer to a SYN is good if it acknowledges the SYN.
    if (segment.flags.ack() && receiver.has_isn && !sender.has_isn) return segment.ack - receiver.isn > 0 && segment.ack - receiver.sent_end <= 0;
  }
  if (segment.seq == expected) return true;
  if (receiver.has_ack && segment.seq == receiver.last_ack) return true;
  return !receiver.seen && !sender.has_isn;
}

}  // namespace weir::track
