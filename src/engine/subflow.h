// A subflow as the engine follows it: who, in what state, seen where, and both directions' bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/guard.h"
#include "engine/records.h"
#include "reassemble/subflow_receiver.h"
#include "track/keys.h"
#include "track/tcp_view.h"
#include "wire/tcp.h"

namespace weir::engine {

struct Connection;

/// Of a subflow: side 0 opened it (sent the SYN), side 1 answered.
using Side = std::uint8_t;
inline constexpr Side kOpener = 0;
inline constexpr Side kAnswerer = 1;
constexpr Side other(Side side) { return side ^ 1U; }

//   SYN             SYN/ACK             third ACK, or data acknowledged
//    |                 |                     |
//  kSynSent ──► kSynReceived ──────► kEstablished ──► kClosed   (FIN both ways)
//    └──────────────┴─────────────────────┴─────────► kReset    (acceptable RST, MP_FASTCLOSE)
//    └──────────────┴───────────────────────────────► kFailed   (HMAC wrong: not authentic)
enum class Phase : std::uint8_t { kSynSent, kSynReceived, kEstablished, kClosed, kReset, kFailed };

/// What one capture point has seen of a subflow.
struct PointView {
  PointId point = 0;
  bool reset = false;  ///< an acceptable RST was seen here
  track::TcpView side[2];
};

/// The addresses of the subflow at another capture point, behind a NAT.
struct Alias {
  std::uint64_t hash = 0;
  bool tunnel_only = false;  ///< the same addresses, in a tunnel whose identity differs by direction
  Endpoints opener_to_answerer;
};

/// The MP_JOIN handshake, kept for replays, other capture points and keys that come later.
struct JoinState {
  std::uint32_t token = 0;
  bool has_token = false;
  std::uint32_t nonce[2] = {0, 0};
  bool has_nonce[2] = {false, false};
  std::optional<std::uint64_t> syn_ack_hmac;
  std::optional<track::JoinHmac> ack_hmac;
};

/// A packet and the MPTCP options that it carried: to tell whether a box between two points took it.
struct OptionSighting {
  PointId point = 0;
  Side side = 0;
  std::uint16_t subtypes = 0;  ///< of its MPTCP options, by bit
  std::uint8_t flags = 0;
  std::uint32_t relative_seq = 0;
  std::uint32_t relative_ack = 0;
  std::uint32_t size = 0;
  std::uint32_t ts_value = 0;
  std::uint32_t ip_id = 0;
  TimeNs time_ns = 0;
};

/// A packet whose options differ between two points, unless another packet like it explains that.
struct Suspect {
  OptionSighting with, without;  ///< of all points that showed it, the two next to each other in time
  TimeNs since_ns = 0;           ///< found then, by the engine's time
};

/// A JOIN's SYN/ACK came without the option: if no two points show where it was lost, that much is told.
struct AnsweredWithout {
  TimeNs time_ns = 0;   ///< the SYN/ACK's
  TimeNs since_ns = 0;  ///< the engine's time then
};

/// A segment of a subflow seen from its middle, kept until it is known where SSNs begin.
struct Unanchored {
  std::uint64_t position = 0;
  std::uint32_t size = 0;
  reassemble::KeptBytes bytes;
  std::uint64_t dsn = 0;
  std::uint32_t ssn = 0;
  std::uint16_t length = 0;
  std::uint32_t data_length = 0;
};

/// What few subflows need.
struct SubflowExtra {
  std::uint64_t handshake[2] = {0, 0};  ///< where `half_seen` has it, by each side's address; 0: nowhere
  std::uint64_t tunnel_pair = 0;        ///< where `tunnel_pairs` has it; 0: nowhere
  std::vector<PointView> more_points;
  std::vector<Alias> aliases;
  std::vector<OptionSighting> syns, recent;  ///< oldest first
  std::vector<Suspect> suspects;
  std::optional<AnsweredWithout> answered_without;
  reassemble::KeptBytes syn_data;  ///< TCP Fast Open: until it is known whether the other side took it
  std::vector<Unanchored> unanchored[2];
  std::uint32_t last_ssn[2] = {0, 0};
  std::uint64_t last_end[2] = {0, 0};
  std::uint64_t ssn_base[2] = {0, 0};
};

struct Subflow {
  Connection* connection = nullptr;
  Subflow* older = nullptr;  ///< an earlier use of the same 4-tuple, still kept
  std::uint64_t hash = 0;
  Endpoints endpoints;  ///< src opened it
  std::uint32_t id = 0;
  Phase phase = Phase::kSynSent;
  Auth auth = Auth::kUnverified;
  bool join : 1 = false;
  bool opened_by_server : 1 = false;
  bool backup : 1 = false;
  bool answered_without_option : 1 = false;
  bool midstream : 1 = false;
  bool was_established : 1 = false;
  bool third_ack_judged : 1 = false;
  bool gave_data : 1 = false;
  bool silent : 1 = false;         ///< nothing of it counts any more, whichever point shows it
  bool bad_checksum : 1 = false;   ///< ended here for a DSS checksum: the hosts' MP_FAIL and RST are still to come
  bool spoke[2] = {false, false};  ///< inline: that side has sent something that shows that its handshake is complete
  std::uint8_t link_tries = 0;
  std::uint8_t address_id[2] = {0, 0};
  bool has_isn[2] = {false, false};
  bool fin[2] = {false, false};            ///< FIN seen where all before it is in order
  bool anchored[2] = {true, true};         ///< ssn_base() is known
  SeqNum isn[2];                           ///< at the point of `home`; of a side seen from its middle: its first sequence number
  std::uint64_t fin_position[2] = {0, 0};  ///< 0: none seen
  PointView home;
  reassemble::SubflowReceiver rx[2];  ///< by the side that sends
  std::unique_ptr<JoinState> joining;
  std::unique_ptr<SubflowExtra> extra;
  std::unique_ptr<SubflowGuard> guard;  ///< inline only

  SubflowExtra& more() {
    if (!extra) extra = std::make_unique<SubflowExtra>();
    return *extra;
  }
  /// Position of SSN 0.
  std::uint64_t ssn_base(Side side) const { return extra ? extra->ssn_base[side] : 0; }
  void set_ssn_base(Side side, std::uint64_t position) {
    if (position != 0 || extra) more().ssn_base[side] = position;
  }
  bool ended() const { return phase >= Phase::kClosed; }
  bool live() const { return phase == Phase::kEstablished; }
  Direction direction(Side side) const { return (side == kOpener) != opened_by_server ? Direction::kToServer : Direction::kToClient; }
  /// The host (0: client, 1: server) on that side.
  std::size_t host(Side side) const { return direction(side) == Direction::kToServer ? 0 : 1; }
};

}  // namespace weir::engine
