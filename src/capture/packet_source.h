// Where a live sensor's packets come from: a ring of the kernel's, or a test's memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/raw_packet.h"

namespace weir::capture {

/// What the kernel says of a ring since it was opened.
struct LiveCounters {
  std::uint64_t packets = 0;    ///< that came to the ring, those dropped included; what the kernel's filter left out is not among them
  std::uint64_t dropped = 0;    ///< for want of room in the ring
  std::uint64_t freezes = 0;    ///< times that the ring was full
  std::uint64_t bytes = 0;      ///< of the packets given, on the wire
  std::uint64_t clock_off = 0;  ///< packets whose hardware's clock was far from the system's: they have the system's time

  LiveCounters& operator+=(const LiveCounters& more) {
    packets += more.packets;
    dropped += more.dropped;
    freezes += more.freezes;
    bytes += more.bytes;
    clock_off += more.clock_off;
    return *this;
  }
};

/// One owner, one thread.
class PacketSource {
 public:
  virtual ~PacketSource() = default;
  /// Readable when packets are ready, and when there is an error; -1: never.
  virtual int descriptor() const = 0;
  /// Up to packets.size() packets; 0: none is ready. They stay valid until the next call.
  virtual std::size_t next_batch(std::span<RawPacket> packets, PointId point) = 0;
  /// Grow only.
  virtual LiveCounters counters() = 0;
  /// Why nothing came since it was asked last, an errno; 0: nothing.
  virtual int take_error() = 0;
};

}  // namespace weir::capture
