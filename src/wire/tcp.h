// The TCP header (RFC 9293 §3.1) as a checked view, and its options.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/seq.h"

namespace weir::wire {

struct TcpFlags {
  std::uint8_t bits = 0;
  constexpr bool fin() const { return bits & 0x01; }
  constexpr bool syn() const { return bits & 0x02; }
  constexpr bool rst() const { return bits & 0x04; }
  constexpr bool psh() const { return bits & 0x08; }
  constexpr bool ack() const { return bits & 0x10; }
};

/// What a segment says, all numbers in host order. Spans are views into the packet (or into a reassembled datagram).
struct TcpSegment {
  std::uint16_t src_port = 0;
  std::uint16_t dst_port = 0;
  SeqNum seq;
  SeqNum ack;
  TcpFlags flags;
  std::uint16_t window = 0;  ///< unscaled
  std::uint16_t checksum = 0;
  std::span<const std::byte> header;   ///< the whole TCP header with options, as captured
  std::span<const std::byte> options;  ///< the option space
  std::span<const std::byte> payload;  ///< captured payload octets
  std::uint32_t payload_bytes = 0;     ///< payload length on the wire; more than payload.size() if cut by the snap length

  // Found in the one walk over the options:
  bool has_timestamp = false;
  bool has_mptcp = false;       ///< at least one kind 30, well formed or not
  bool options_broken = false;  ///< an option's length runs past the option space or is below 2: the walk ended there
  std::uint32_t ts_value = 0;
  std::uint32_t ts_echo = 0;
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> window_scale;  ///< at most 14 (RFC 7323 §2.3)
  bool sack_permitted = false;
};

/// Walks every option of a TCP option space; unknown kinds are skipped by their length. Stops at End of Option List, or
/// at an option whose length runs past the space (that one is given, cut short, if its kind is 30: it is a finding).
class OptionWalker {
 public:
  explicit OptionWalker(std::span<const std::byte> options) : rest_(options) {}
  /// The next option with the given kind (kind octet first), or nullopt at the end.
  std::optional<std::span<const std::byte>> next(std::uint8_t kind);

 private:
  std::span<const std::byte> rest_;
};

}  // namespace weir::wire
