// What one target is asked, in which order, and what its answers make of it. Pure: answers and passing time in, moves out.
//
//            SYN v1 ──key──► third ACK + data ──exact DATA_ACK──► v1
//              │  │  └─echo─► mirror      └─none──► JOIN ──RST──► v1 or v0
//              │  └─plain─► SYN v0 ──key──► third ACK + data ──► v0   └─echo──► mirror   else ──► inconclusive
//   silent, RST│              ├─echo─► mirror
//              ▼              └─plain─► tcp_only
//            SYN without MPTCP ──SYN/ACK──► inconclusive (MPTCP alone is lost)   RST──► closed   silent──► timeout
#pragma once

#include <cstdint>

#include "probe/raw/judge.h"
#include "probe/verdict.h"

namespace weir::probe::raw {

inline constexpr unsigned kMostTries = 4;  // of one step

enum class Step : std::uint8_t { kSynV1, kDataV1, kSynV0, kDataV0, kJoin, kPlain };

/// What is to be done next.
struct Move {
  enum class Kind : std::uint8_t {
    kWait,    ///< nothing
    kSend,    ///< what the step says; it is a step's first or another try
    kFinish,  ///< `verdict` it is
  };
  Kind kind = Kind::kWait;
  Verdict verdict = Verdict::kInconclusive;
  bool reset = false;  ///< before: the handshake that was just answered is to be ended
  bool close = false;  ///< before: the connection of `closes`, which has our data, is to be ended
  Question closes = Question::kV1;
};

/// Purpose: one target's questions so far. Invariant: at most kMostTries tries of a step; a step never comes twice. A value.
struct Conversation {
  Step step = Step::kSynV1;
  std::uint8_t tries = 1;
  bool has_rtt = false;
  Evidence evidence;
  Server server;
};

/// The question that a step asks, or goes on with.
Question question_for(Step step);

Move on_answer(Conversation& conversation, const Answer& answer);
/// The step's time is up. `most_tries`: 1 to kMostTries.
Move on_timeout(Conversation& conversation, unsigned most_tries);

/// What routers, or the target's own host, said of a target that answered nothing: its port is closed, or no way leads to it.
Verdict with_icmp(Verdict verdict, Evidence& evidence);

}  // namespace weir::probe::raw
