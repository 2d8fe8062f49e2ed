// What inline mode keeps of a connection besides what reassembly needs: which bytes passed, and what its hosts have shown of themselves.
#pragma once

#include <cstdint>
#include <vector>

#include "base/direction.h"
#include "base/raw_packet.h"
#include "reassemble/passed_bytes.h"

namespace weir::engine {

/// Positions that were acknowledged, never seen and passed over: nothing may pass there any more, as it would not be looked at.
struct Skipped {
  std::uint64_t begin = 0, end = 0;
};
/// Kept apart in a direction; beyond, the last one grows, so that more is refused than was passed over.
inline constexpr std::size_t kMostSkipped = 64;

/// What a record counts that this process has not in its streams, or has there and no host got. By Direction.
struct CountedApart {
  std::uint64_t bytes[2] = {0, 0}, seen_bytes[2] = {0, 0}, gap_bytes[2] = {0, 0};  ///< of the processes before this one
  std::uint64_t duplicate_bytes = 0;                                               ///< likewise
  std::uint64_t excused_bytes[2] = {0, 0};                                         ///< of all gaps: they had passed the process before this one
  std::uint64_t withheld_bytes[2] = {0, 0};                                        ///< in the stream, by a packet that a match has refused
};

/// Of a connection; arrays by Direction.
struct ConnectionGuard {
  CountedApart counted;
  reassemble::PassedBytes passed[2];  ///< by position in the data stream
  /// While there is one subflow, its receiver may fall back to plain TCP without a word. Until it has acknowledged past this position by
  /// DATA_ACK, only what plain TCP would agree with passes: mappings that go on as the last one did.
  std::uint64_t unconfirmed_until[2] = {0, 0};
  std::uint64_t delta[2] = {0, 0};  ///< of the last mapping that passed (Mapping::delta)
  bool mapped[2] = {false, false};
  bool apart[2] = {false, false};        ///< some mapping that passed was not what plain TCP would agree with
  std::uint64_t resumed_at[2] = {0, 0};  ///< restored: bytes before it may have passed uncopied
  std::uint64_t unseen[2] = {0, 0};      ///< a DATA_ACK of what was not seen: counts once the sender was seen to go on behind it
  std::uint64_t settled[2] = {0, 0};     ///< resumed: what its receiver had, by DATA_ACK, when it settled
  std::vector<Skipped> skipped[2];
  TimeNs settles_until_ns = 0;  ///< resumed by an older state: until then its hosts show how far they had come
  bool excused = false;         ///< all of that passed the process before this one
  bool resumed = false;
  bool goes_by = false;               ///< not all of its packets come here any more
  bool data_fin[2] = {false, false};  ///< that goes by: a DATA_FIN was seen, whatever came before it
};

/// Of a subflow; by the side that sends.
struct SubflowGuard {
  reassemble::PassedBytes passed[2];  ///< by position in the subflow
  std::uint64_t resumed_at[2] = {0, 0};
  std::uint64_t unseen[2] = {0, 0};    ///< as in ConnectionGuard, by ACK
  std::uint64_t unproven[2] = {0, 0};  ///< an ACK of what was not seen that anyone may have sent; 0: none
  TimeNs unproven_since_ns[2] = {0, 0};
  std::uint64_t settled[2] = {0, 0};                                   ///< as in ConnectionGuard
  TimeNs reset_ns[2] = {0, 0};                                         ///< when that side's RST came; 0: none
  std::uint64_t bytes_before[2] = {0, 0}, withheld_bytes[2] = {0, 0};  ///< likewise: CountedApart
  std::vector<Skipped> skipped[2];
};

}  // namespace weir::engine
