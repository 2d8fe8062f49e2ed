// What is found out about a target, and what it stands on. Values; the words are part of the public interface (docs/PROBE.md).
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "base/ip_address.h"
#include "base/raw_packet.h"

namespace weir::probe {

struct Target {
  IpAddress address;
  std::uint16_t port = 0;
  friend auto operator<=>(const Target&, const Target&) = default;
};

/// One target and its place in the run's order.
struct Numbered {
  std::uint64_t number = 0;
  Target target;
};

enum class Verdict : std::uint8_t {
  kV1,            ///< speaks MPTCP v1: it acknowledged data by a key that only it could know
  kV0,            ///< the same for v0
  kMirror,        ///< sends back options that it does not understand
  kTcpOnly,       ///< answers without MPTCP
  kClosed,        ///< refuses the connection
  kTimeout,       ///< answers nothing
  kInconclusive,  ///< the evidence contradicts itself, or packets were lost in the way that a path loses MPTCP
  kStripped,      ///< MPTCP is lost on the path, and where is known
};
inline constexpr std::size_t kVerdicts = 8;

/// What became of one question (a SYN).
enum class Outcome : std::uint8_t {
  kNotAsked,
  kSilent,   ///< no answer in all tries
  kReset,    ///< RST
  kPlain,    ///< SYN/ACK without an MPTCP option
  kCapable,  ///< SYN/ACK with MP_CAPABLE of the version asked, and a key that is not ours
  kEcho,     ///< SYN/ACK with the option as we sent it
  kOther,    ///< SYN/ACK with an MPTCP option that answers nothing
};

/// What became of the third ACK with data.
enum class DataOutcome : std::uint8_t {
  kNotSent,
  kSilent,     ///< not acknowledged, on no level
  kExact,      ///< a DATA_ACK of IDSN + 1 + length
  kWrong,      ///< a DATA_ACK of something else
  kNoDataAck,  ///< acknowledged by TCP alone: the option was lost on the way there or back
  kReset,
};

struct Evidence {
  Outcome syn_v1 = Outcome::kNotAsked;
  Outcome syn_v0 = Outcome::kNotAsked;
  Outcome syn_plain = Outcome::kNotAsked;
  Outcome join = Outcome::kNotAsked;  ///< MP_JOIN with a token that nobody has
  DataOutcome data_v1 = DataOutcome::kNotSent;
  DataOutcome data_v0 = DataOutcome::kNotSent;
  bool checksum = false;       ///< the server wants DSS checksums
  bool no_join_here = false;   ///< the server takes no joins to this address and port (v1)
  std::uint8_t icmp_type = 0;  ///< of an error that quoted one of our packets; 0: none
  std::uint8_t icmp_code = 0;
  bool not_sent = false;  ///< its interface was down while it was asked
  bool no_route = false;  ///< this host knows no way to it, or what is on the way said so
  friend bool operator==(const Evidence&, const Evidence&) = default;
};

struct Finding {
  Target target;
  Verdict verdict = Verdict::kInconclusive;
  Evidence evidence;
  TimeNs rtt_ns = 0;          ///< of the first answer; 0: none, or to a packet that was sent twice
  std::uint16_t packets = 0;  ///< sent for it
};

std::string_view name_of(Verdict verdict);
std::string_view name_of(Outcome outcome);
std::string_view name_of(DataOutcome outcome);
/// The verdict of that name; false if there is none.
bool parse_verdict(std::string_view text, Verdict& verdict);

}  // namespace weir::probe
