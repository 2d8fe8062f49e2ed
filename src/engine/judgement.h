// What is to become of a packet that waits inline: passed on, or refused and why. And what a gateway needs to end or show a connection.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/direction.h"
#include "base/endpoints.h"
#include "base/seq.h"
#include "engine/records.h"

namespace weir::engine {

/// What became of a packet: a normalised capture leaves out what is kMptcp and passes the rest unchanged.
enum class Fate : std::uint8_t {
  kOther,     ///< of no MPTCP connection
  kMptcp,     ///< of an MPTCP connection (refused and fallen back ones too)
  kFragment,  ///< an IP fragment: decided when its datagram is whole (then that packet's fate stands for all of them), or never
};

// name in C++, name in log and counters, why the packet must not pass
#define WEIR_REFUSALS(X)                                                                                                              \
  X(kNone, "none", "it may pass")                                                                                                     \
  X(kBadChecksum, "bad_checksum", "its receiver throws it away")                                                                      \
  X(kMalformed, "malformed", "no IP and TCP as they must be, or MPTCP options that two readers may read in two ways")                 \
  X(kAck, "ack", "it acknowledges nothing, or what was never sent")                                                                   \
  X(kPaws, "paws", "its timestamp is older than what came before")                                                                    \
  X(kWindow, "window", "outside of what the receiver's window allows")                                                                \
  X(kAfterEnd, "after_end", "its subflow or its stream is over")                                                                      \
  X(kSynData, "syn_data", "data in a SYN: it would be taken before it can be looked at (TCP Fast Open)")                              \
  X(kOtherTerms, "other_terms", "a handshake with other keys or terms than the one that passed")                                      \
  X(kNotJoined, "not_joined", "data on a subflow whose handshake is not complete")                                                    \
  X(kJoinHmac, "join_hmac", "the opener or the answerer of a subflow could not prove that it belongs there")                          \
  X(kJoinUnknownToken, "join_unknown_token", "its token names no connection")                                                         \
  X(kJoinReplay, "join_replay", "a token and nonce that came from another tuple before")                                              \
  X(kSubflows, "subflows", "more subflows than can be followed")                                                                      \
  X(kSegmentConflict, "segment_conflict", "other bytes than those that passed at these sequence numbers")                             \
  X(kDsnConflict, "dsn_conflict", "other bytes than those that passed at these data sequence numbers")                                \
  X(kMappingConflict, "mapping_conflict", "another mapping than the one that passed for these sequence numbers")                      \
  X(kUnmapped, "unmapped", "data that no mapping in its own segment covers")                                                          \
  X(kMappingAhead, "mapping_ahead", "a mapping for bytes of other segments only")                                                     \
  X(kDssChecksum, "dss_checksum", "completes a mapping whose DSS checksum is wrong")                                                  \
  X(kSkipped, "skipped", "bytes that were acknowledged before they came, and passed over")                                            \
  X(kUnconfirmed, "unconfirmed", "a mapping that plain TCP would not agree with, before the receiver has shown that it speaks MPTCP") \
  X(kDataWindow, "data_window", "before the first byte of the stream, or beyond DATA_ACK and window")                                 \
  X(kCopiesFull, "copies_full", "as much as may wait for its acknowledgement does (inline_copies_bytes)")                             \
  X(kMemory, "memory", "memory_bytes is used up")                                                                                     \
  X(kForgedAddAddr, "forged_add_addr", "ADD_ADDR with a wrong HMAC")                                                                  \
  X(kForgedRemoveAddr, "forged_remove_addr", "REMOVE_ADDR of an address ID that was never used or offered")                           \
  X(kForgedMpPrio, "forged_mp_prio", "MP_PRIO for a subflow other than its own")                                                      \
  X(kForgedMpFail, "forged_mp_fail", "MP_FAIL where no checksum can have failed")                                                     \
  X(kForgedFastclose, "forged_fastclose", "MP_FASTCLOSE with a key that is not its receiver's")                                       \
  X(kRule, "rule", "a drop or reject rule matched in what it makes deliverable")                                                      \
  X(kBlocked, "blocked", "this direction was blocked before")

enum class Refusal : std::uint8_t {
#define WEIR_REFUSAL_VALUE(value, name, why) value,
  WEIR_REFUSALS(WEIR_REFUSAL_VALUE)
#undef WEIR_REFUSAL_VALUE
};

inline constexpr auto kRefusalNames = std::to_array<std::string_view>({
#define WEIR_REFUSAL_NAME(value, name, why) name,
    WEIR_REFUSALS(WEIR_REFUSAL_NAME)
#undef WEIR_REFUSAL_NAME
});

constexpr std::string_view name_of(Refusal refusal) { return kRefusalNames[static_cast<std::size_t>(refusal)]; }

/// Of one packet.
struct Judgement {
  Fate fate = Fate::kOther;
  Refusal refusal = Refusal::kNone;
  std::uint64_t connection = 0;  ///< ConnectionInfo::number; 0: of none that is followed
  std::uint32_t subflow = 0;     ///< its id in that connection
  Direction direction = Direction::kToServer;
  bool payload = false;
  bool opens_connection = false;  ///< a SYN with MP_CAPABLE
  bool opens_subflow = false;     ///< a SYN with MP_JOIN
  bool fallen_back = false;       ///< the connection is plain TCP now, refused or fallen back
  bool subflow_over = false;      ///< that goes by: nothing more comes on it (Engine::goes_by)
  bool over = false;              ///< both hosts have ended the connection: it is kept for stragglers alone
  bool unseen_path = false;       ///< it acknowledges what no packet here carried: the guarantee is void for that connection

  bool passes() const { return refusal == Refusal::kNone; }
};

/// How to reach one host on one live subflow: what a FASTCLOSE or a RST to it is built of.
struct Ending {
  std::size_t host = 0;  ///< 0: the client is told, 1: the server
  std::uint32_t subflow = 0;
  Endpoints endpoints;       ///< src: its peer, in whose name it is told; dst: the host
  SeqNum seq;                ///< behind all that was passed to it in order: inside its window, and what it expects next once it has that
  SeqNum acked;              ///< what it has acknowledged last: what it expects next if nothing is under way
  SeqNum ack;                ///< what its peer has acknowledged last
  std::uint16_t window = 0;  ///< of its peer, as on the wire
  bool has_timestamps = false;
  std::uint32_t ts_value = 0, ts_echo = 0;
  std::optional<std::uint64_t> key;       ///< the host's own, for MP_FASTCLOSE
  std::optional<std::uint64_t> data_ack;  ///< the DSN up to which its peer has acknowledged what the host sent
  std::uint8_t version = 1;
  bool fallen_back = false;
};

/// A running connection, as its record would be now.
struct ConnectionOverview {
  ConnectionRecord record;
  bool blocked[2] = {false, false};  ///< by Direction
  bool resumed = false;              ///< taken over from a process before this one
  std::uint64_t waiting_bytes = 0;   ///< kept: out of order, or not yet acknowledged
};

/// By host: 0 client, 1 server. Secrets: never logged.
struct ConnectionKeys {
  std::optional<std::uint64_t> key[2];
  std::optional<std::uint32_t> token[2];
  std::uint8_t version = 1;
};

}  // namespace weir::engine
