// Where the TCP segment of an IP packet lies, and its checksum: what every change of a packet begins and ends with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/ip_address.h"

namespace weir::rewrite {

/// Why a packet is not changed. Closed. The packet is then as it was.
enum class Unchangeable : std::uint8_t {
  kNotTcp,     ///< another transport, or no IP packet
  kFragment,   ///< a piece of a datagram: the segment is not all here
  kMalformed,  ///< its headers contradict each other
  kTunnel,     ///< the segment is inside of a tunnel, whose own headers a change would make wrong
  kCut,        ///< fewer octets than the headers say
  kNoRoom,     ///< what is to go in does not fit into the 40 octets of options, or the packet would become too long
};
std::string_view name_of(Unchangeable reason);

/// A view's offsets, all inside of the packet that they were found in.
struct TcpPlace {
  std::size_t tcp = 0;            ///< where the TCP header begins
  std::size_t options_bytes = 0;  ///< option space behind its 20 fixed octets
  std::size_t end = 0;            ///< where the IP packet ends: what lies behind is a link's trailer
  IpAddress src, dst;             ///< as the pseudo-header has them (RFC 8200 §8.1: the last stop of a source route)

  std::size_t options() const;  ///< where the option space begins
  std::size_t payload() const { return options() + options_bytes; }
};

/// `packet` begins with its IP header: IPv4 with or without options, IPv6 with or without extension headers.
std::expected<TcpPlace, Unchangeable> find_tcp(Bytes packet);

/// Writes the segment's checksum anew, over all of it (RFC 9293 §3.1): what stood there may be unfinished, as checksum offload leaves it.
/// `place` is find_tcp's for this very packet.
void write_tcp_checksum(std::span<std::byte> packet, const TcpPlace& place);

}  // namespace weir::rewrite
