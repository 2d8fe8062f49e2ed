// What one capture point has seen of one direction of a subflow, and which segments its receiver throws away for it
// (THREATS.md, "What counts as delivered", rules 1 and 8).
#pragma once

#include <cstdint>

#include "base/raw_packet.h"
#include "base/seq.h"
#include "wire/tcp.h"

namespace weir::track {

enum class Acceptance : std::uint8_t {
  kGood,
  kDoubtfulWindow,  ///< begins beyond the window seen here
  kDoubtfulAck,     ///< acknowledges what was not seen to be sent here: never sent, or missed by the capture
  kPaws,            ///< older timestamp than the last one recorded (RFC 7323 §5)
  kNoAck,           ///< ACK flag missing after the SYN (RFC 9293 §3.10.7.4)
  kBadAck,          ///< acknowledges what was sent before the connection began
};

/// One direction at one capture point. Invariant: numbers are as on the wire there, so a box that rewrites ISNs between two
/// points does no harm.
struct TcpView {
  SeqNum isn;
  SeqNum sent_end;                ///< one past the highest sequence number seen from this sender
  SeqNum last_ack;                ///< the highest acknowledgement seen from this sender
  SeqNum right_edge;              ///< the highest acknowledgement plus window seen from this sender: what it lets the other send
  std::uint32_t ts_recent = 0;    ///< as its receiver has it recorded (RFC 7323 §4.3), or older
  std::uint32_t ts_newest = 0;    ///< the newest seen
  std::uint32_t ts_recent_s = 0;  ///< when ts_recent was seen, or confirmed; packet time, as are the seconds below
  std::uint32_t heard_s = 0;      ///< the last packet that counted
  std::uint16_t mss = 0;
  std::uint16_t syn_window = 0;  ///< as the SYN had it: never scaled
  std::uint8_t window_scale = 0;
  bool seen : 1 = false;
  bool has_isn : 1 = false;
  bool has_ack : 1 = false;
  bool has_edge : 1 = false;
  bool has_ts : 1 = false;
  bool scale_known : 1 = false;
  bool right_checksum : 1 = false;  ///< the source's right checksum has been noted
  bool offered_scale : 1 = false;
  bool far : 1 = false;  ///< so much was sent that the ISN no longer tells earlier numbers from later ones
};

/// How long a recorded timestamp is compared with: RFC 7323 §5.5, for clocks of a millisecond a tick.
inline constexpr std::uint32_t kPawsSeconds = 24 * 86'400;
/// The same for clocks of a microsecond a tick: Linux, since 6.7, looks at none that is older.
inline constexpr std::uint32_t kPawsSecondsShort = 2'147;

constexpr std::uint32_t seconds(TimeNs time_ns) { return static_cast<std::uint32_t>(time_ns / 1'000'000'000); }

/// Since the sender was heard here last; a clock that was set back gives less than 0.
std::int32_t silent_seconds(const TcpView& sender, TimeNs now_ns);

/// Whether the receiver takes the segment that `sender` sends. SYNs are not judged here. `paws_s`: timestamps recorded longer ago say nothing any more.
Acceptance judge(const TcpView& sender, const TcpView& receiver, const wire::TcpSegment& segment, TimeNs now_ns, std::uint32_t paws_s = kPawsSeconds);

/// Takes note of a segment that was not thrown away. `good`: it was not doubtful either.
void note(TcpView& sender, const TcpView& receiver, const wire::TcpSegment& segment, bool good, TimeNs now_ns);

/// RFC 5961 §3: a RST counts only at exactly the next expected sequence number (`expected`: what was seen in order; the
/// highest acknowledgement seen counts too). Before the handshake is complete: RFC 9293 §3.10.7.3.
bool rst_acceptable(const TcpView& sender, const TcpView& receiver, const wire::TcpSegment& segment, SeqNum expected, bool in_handshake);

}  // namespace weir::track
