// Where on the path MPTCP is lost, as far as it can be told. Values; the words are part of the public interface (docs/PROBE.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ip_address.h"

namespace weir::probe::trace {

/// What a router quoted of a SYN with MP_CAPABLE.
enum class Quoted : std::uint8_t {
  kNothing,  ///< no answer from this hop
  kShort,    ///< too little of the packet to tell: 8 octets of TCP are all that RFC 792 asks for
  kIntact,   ///< the option as it was sent
  kChanged,  ///< an MPTCP option, but not as it was sent
  kRemoved,  ///< none
};

struct Hop {
  std::uint8_t ttl = 0;
  std::optional<IpAddress> router;   ///< that answered the SYN with MP_CAPABLE
  std::optional<IpAddress> control;  ///< that answered the plain SYN
  Quoted quoted = Quoted::kNothing;
  friend bool operator==(const Hop&, const Hop&) = default;
};

/// How the target itself answered one series.
enum class End : std::uint8_t { kSilent, kReset, kPlain, kCapable, kOther };

enum class Loss : std::uint8_t {
  kNone,        ///< the answer has the option
  kRemoved,     ///< on the way there, between two hops
  kChanged,     ///< the same
  kDropped,     ///< SYNs with the option are lost between two hops, others pass
  kReturnPath,  ///< on the way back: not locatable
  kUnknown,     ///< it cannot be told: every quote is intact, or none is long enough
};

struct Report {
  std::vector<Hop> hops;  ///< in the order of their TTLs, from 1
  End capable_end = End::kSilent, control_end = End::kSilent;
  bool join_reset = false;  ///< a JOIN with an unknown token was answered by RST: the server speaks MPTCP, and the way there carries it
  Loss loss = Loss::kUnknown;
  /// The TTLs between which it happens: `before` still had it (0: this host), `behind` had not any more (0: the target itself).
  std::uint8_t before = 0, behind = 0;
  /// The last hop whose quote has the option as it was sent; 0: none has. Of an answer without the option: what lies before it did not take it out.
  std::uint8_t intact_to = 0;
};

std::string_view name_of(Quoted quoted);
std::string_view name_of(End end);
std::string_view name_of(Loss loss);

}  // namespace weir::probe::trace
