// One segment from outside, judged: is it an answer to what we asked, and what does it say? Pure; foreign octets come in here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "probe/raw/cookie.h"
#include "probe/raw/packets.h"
#include "probe/verdict.h"
#include "wire/tcp.h"

namespace weir::probe::raw {

enum class Kind : std::uint8_t {
  kForeign,  ///< not an answer: it acknowledges nothing that we sent
  kSynAck,   ///< to a SYN; `outcome` says what it carries
  kReset,    ///< RST that proves that it has seen our packet
  kData,     ///< a later segment of the connection; `data` says what it acknowledges
};

struct Answer {
  Kind kind = Kind::kForeign;
  Question question = Question::kV1;
  Outcome outcome = Outcome::kPlain;        ///< of kSynAck
  DataOutcome data = DataOutcome::kSilent;  ///< of kData: kExact, kWrong, kNoDataAck; kSilent: our data is not acknowledged (yet)
  Server server;                            ///< of kSynAck
  bool no_join_here = false;                ///< of kSynAck
};

/// `data_bytes`: of what we send as data. `segment` comes from the target to us.
Answer judge(const wire::TcpSegment& segment, const Target& target, const Secret& secret, std::size_t data_bytes);

}  // namespace weir::probe::raw
