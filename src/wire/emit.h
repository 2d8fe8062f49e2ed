// Values into packets: for normalised captures, and for tests and the simulator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ip_address.h"
#include "base/seq.h"
#include "wire/tcp.h"

namespace weir::wire {

struct EmitTcp {
  IpAddress src{}, dst{};
  std::uint16_t src_port = 0, dst_port = 0;
  SeqNum seq{}, ack{};
  TcpFlags flags{};
  std::uint16_t window = 0;
  std::uint8_t ttl = 64;
  std::uint16_t ip_id = 0;
  std::span<const std::byte> options{};  ///< already padded to 4 octets, at most 40
};

/// Writes an IPv4 or IPv6 packet (by the addresses' family) with right checksums into `out` (cleared first). The payload is
/// at most 65,535 octets less the headers: more is a caller's error and gives an empty packet.
void emit_tcp_packet(const EmitTcp& header, std::span<const std::byte> payload, std::vector<std::byte>& out);

}  // namespace weir::wire
