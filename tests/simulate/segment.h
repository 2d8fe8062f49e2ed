// A TCP segment on its way through the simulated network: a value. It becomes octets only where a capture point sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "base/seq.h"
#include "wire/mptcp/options.h"
#include "wire/tcp.h"

namespace weir::simulate {

inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10;

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

struct Segment {
  Endpoint src, dst;
  SeqNum seq, ack;
  wire::TcpFlags flags;
  std::uint16_t window = 0;
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> window_scale;
  bool sack_permitted = false;
  bool has_timestamp = false;
  std::uint32_t ts_value = 0, ts_echo = 0;
  std::optional<std::pair<SeqNum, SeqNum>> sack;
  std::vector<wire::mptcp::Option> mptcp;
  std::span<const std::byte> payload;  ///< part of the sender's stream, which outlives the simulation
  bool damaged = false;                ///< an octet was changed on the way: its receiver throws it away
  bool oversized = false;              ///< longer than the receiver's MSS, as segmentation offload shows it
  std::uint16_t ip_id = 0;

  template <class T>
  const T* find() const {
    for (const auto& option : mptcp) {
      if (const T* value = std::get_if<T>(&option)) return value;
    }
    return nullptr;
  }
};

/// Octets of the option space, padding included. More than 40 do not fit.
std::size_t option_octets(const Segment& segment);

enum class WrittenChecksum : std::uint8_t { kRight, kPseudoHeader, kWrong };

/// Appends the IP packet to `out` as a capture point sees it.
void write_packet(const Segment& segment, WrittenChecksum checksum, std::vector<std::byte>& out);

}  // namespace weir::simulate
