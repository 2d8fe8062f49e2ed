// TCP segments as Ethernet and IPv4 packets with right checksums.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "payload_pool.h"
#include "pcap_stream.h"

namespace weir::bench {

/// No application's: tshark is to spend nothing on what the payload might mean.
inline constexpr std::uint16_t kServerPort = 5'201;
inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kPsh = 0x08, kAck = 0x10;

/// A TCP connection or a subflow. Index 0: who opened it. Sequence numbers count from the ISN; the SYN has 0.
struct Flow {
  std::array<std::uint32_t, 2> address{};
  std::array<std::uint16_t, 2> port{};
  std::array<std::uint32_t, 2> isn{};
  std::array<std::uint32_t, 2> sent{1, 1};  ///< one past the highest position sent
};

/// The option space as it grows; at most 40 octets.
class Options {
 public:
  void octets(std::initializer_list<unsigned> in) {
    for (const unsigned octet : in) space_[size_++] = static_cast<std::byte>(octet);
  }
  void number(std::uint64_t value, unsigned octets) {
    while (octets > 0) space_[size_++] = static_cast<std::byte>(value >> (8 * --octets));
  }
  void pad() {
    while (size_ % 4 != 0) space_[size_++] = std::byte{1};
  }
  std::span<const std::byte> space() const { return std::span(space_).first(size_); }

 private:
  std::array<std::byte, 40> space_{};
  std::size_t size_ = 0;
};

class TcpWriter {
 public:
  explicit TcpWriter(PcapStream& out) : out_(out) {}

  /// The options with which Linux begins a segment: MSS, SACK and window scale on a SYN; timestamps.
  Options options(bool syn) const;
  /// `from`: who sends. `position` and `acknowledged` are positions in either direction.
  void write(const Flow& flow, unsigned from, std::uint8_t flags, std::uint32_t position, std::uint32_t acknowledged, const Options& options,
             const Payload& payload = {});

  // Of plain TCP.
  void open(Flow& flow);
  void data(Flow& flow, unsigned from, const Payload& payload);
  void acknowledge(Flow& flow, unsigned from);
  void close(Flow& flow);

  PcapStream& stream() { return out_; }

 private:
  PcapStream& out_;
  std::uint16_t ip_id_ = 0;
};

}  // namespace weir::bench
