// Packets that Weir sends of its own, to end a subflow or a connection at a host. Each is what that host takes as its peer's.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/endpoints.h"
#include "base/ip_address.h"
#include "base/seq.h"
#include "rewrite/tcp_place.h"

namespace weir::rewrite {

/// Why a subflow is reset (RFC 8684 §3.6, MP_TCPRST).
enum class ResetReason : std::uint8_t {
  kUnspecified = 0,
  kMptcpError = 1,
  kNoResources = 2,
  kProhibited = 3,
  kTooMuchOutstanding = 4,
  kPerformance = 5,
  kMiddlebox = 6,
};

/// A host's end of a subflow: `src` is its peer, in whose name the packet goes, `dst` the host.
struct Receiver {
  IpAddress src{}, dst{};
  std::uint16_t src_port = 0, dst_port = 0;
  SeqNum seq{};              ///< exactly the octet that the host waits for (its RCV.NXT): elsewhere it takes no RST (RFC 5961 §3.2)
  SeqNum ack{};              ///< what it has sent and its peer has acknowledged
  std::uint16_t window = 0;  ///< the peer's last, unscaled
  struct Timestamps {
    std::uint32_t value = 0;  ///< the peer's last, or later
    std::uint32_t echo = 0;   ///< the host's last
  };
  /// The DATA_ACK of the peer's that goes with MP_FASTCLOSE: a host that has seen none yet takes a first packet without one for the end of MPTCP.
  std::optional<std::uint64_t> data_ack{};
  std::optional<Timestamps> timestamps{};  ///< of a subflow that has them: without, a host drops the segment (RFC 7323 §3.2)
};

using Packet = std::vector<std::byte>;

/// RST with the reason in MP_TCPRST. nullopt: a plain RST, for a connection that is fallen back to TCP or has version 0.
Packet make_reset(const Receiver& to, std::optional<ResetReason> reason = std::nullopt);

/// Pure ACK with MP_FASTCLOSE: ends the connection at a host whose own key is `receiver_key` (RFC 8684 §3.5). Linux takes it at RCV.NXT and inside of the
/// window.
Packet make_fastclose(const Receiver& to, std::uint64_t receiver_key);

/// The same as RST, which Linux takes at exactly RCV.NXT only.
Packet make_fastclose_reset(const Receiver& to, std::uint64_t receiver_key);

/// ACK without data: with `to.seq` before what the host waits for, it answers with what it has (RFC 9293 §3.10.7.4), as to a keep-alive.
Packet make_ack(const Receiver& to);

/// The RST that answers a segment (RFC 9293 §3.10.7.1), to who sent it: a refused SYN with MP_JOIN. An RST is not answered: kMalformed.
/// `as_sent`: the addresses that its sender has put there, where a NAT has changed them since; none: those that are there.
std::expected<Packet, Unchangeable> refuse(Bytes packet, std::optional<ResetReason> reason = std::nullopt,
                                           const std::optional<Endpoints>& as_sent = std::nullopt);

}  // namespace weir::rewrite
