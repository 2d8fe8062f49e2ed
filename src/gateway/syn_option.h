// The one option of MPTCP that a SYN is decided by.
#pragma once

#include <optional>
#include <variant>

#include "base/bytes.h"
#include "wire/mptcp/parse.h"
#include "wire/tcp.h"

namespace weir::gateway {

using SynOption = std::variant<std::monostate, wire::mptcp::MpCapable, wire::mptcp::MpJoinSyn>;

/// The first well-formed MP_CAPABLE or MP_JOIN among a SYN's options.
inline SynOption syn_option(const wire::TcpSegment& tcp) {
  wire::OptionWalker walker(tcp.options);
  while (const auto bytes = walker.next(wire::mptcp::kOptionKind)) {
    const auto option = wire::mptcp::parse_option(*bytes);
    if (!option) continue;
    if (const auto* capable = std::get_if<wire::mptcp::MpCapable>(&*option)) return *capable;
    if (const auto* join = std::get_if<wire::mptcp::MpJoinSyn>(&*option)) return *join;
  }
  return {};
}

/// Whether a SYN/ACK says that it opens a subflow.
inline bool answers_join(const wire::TcpSegment& tcp) {
  wire::OptionWalker walker(tcp.options);
  while (const auto bytes = walker.next(wire::mptcp::kOptionKind)) {
    const auto option = wire::mptcp::parse_option(*bytes);
    if (option && std::holds_alternative<wire::mptcp::MpJoinSynAck>(*option)) return true;
  }
  return false;
}

/// Flags of TCP, at a glance, as most packets are of no interest; nothing where it takes more to find them.
inline std::optional<unsigned> flags_at_a_glance(Bytes ip) {
  constexpr std::size_t kIpv6Header = 40, kFlags = 13;
  if (ip.empty()) return std::nullopt;
  const auto octet = [&](std::size_t at) { return std::to_integer<unsigned>(ip[at]); };
  std::size_t tcp = kIpv6Header;
  if (octet(0) >> 4U == 4) {
    tcp = (octet(0) & 15U) * std::size_t{4};
  } else if (ip.size() < kIpv6Header || octet(6) != 6) {
    return std::nullopt;
  }
  if (tcp + kFlags >= ip.size()) return std::nullopt;
  return octet(tcp + kFlags);
}

/// false: certainly no SYN without ACK.
inline bool may_be_syn(Bytes ip) { return (flags_at_a_glance(ip).value_or(0x02U) & 0x12U) == 0x02U; }

/// false: certainly no SYN/ACK.
inline bool may_be_syn_ack(Bytes ip) { return (flags_at_a_glance(ip).value_or(0x12U) & 0x12U) == 0x12U; }

}  // namespace weir::gateway
