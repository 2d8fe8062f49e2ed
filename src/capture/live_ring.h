// Packets of one network interface as they come: a ring that the kernel fills (AF_PACKET, TPACKET_V3; packet(7)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/raw_packet.h"
#include "capture/error.h"

namespace weir::capture {

/// What the kernel says of a ring since it was opened.
struct LiveCounters {
  std::uint64_t packets = 0;  ///< that passed the interface, those dropped included
  std::uint64_t dropped = 0;  ///< for want of room in the ring
  std::uint64_t freezes = 0;  ///< times that the ring was full

  LiveCounters& operator+=(const LiveCounters& more) {
    packets += more.packets;
    dropped += more.dropped;
    freezes += more.freezes;
    return *this;
  }
};

struct LiveSettings {
  std::size_t ring_bytes = 64 << 20;  ///< rounded up to whole blocks
  unsigned block_timeout_ms = 10;     ///< a block that is not full is handed over after this time
  bool promiscuous = true;            ///< also what is for other hosts
};

/// Purpose: the packets of an interface, both directions, without copying them. Ownership: socket and ring; one owner, one thread.
/// Invariant: nothing is seen from before open(). A packet stays valid until the next call of next_batch().
/// Limits: the ring (LiveSettings::ring_bytes); when it is full the kernel drops, and counts.
class LiveRing {
 public:
  /// Error::what for people: no such interface, no permission, no Ethernet or IP on it.
  static std::expected<std::unique_ptr<LiveRing>, Error> open(const std::string& interface, const LiveSettings& settings);
  LiveRing(const LiveRing&) = delete;
  LiveRing& operator=(const LiveRing&) = delete;
  ~LiveRing();

  /// Readable when a block is ready, and when the interface has gone.
  int descriptor() const { return descriptor_; }
  /// Up to packets.size() packets; 0: none is ready. Times are the kernel's, nanoseconds since 1970 UTC.
  std::size_t next_batch(std::span<RawPacket> packets, PointId point);
  /// Grows only.
  LiveCounters counters();
  /// Why nothing came since it was asked last, an errno: ENETDOWN while the interface is down (it goes on when that is up again). 0: nothing.
  int take_error();
  /// The interface that was opened is gone, or another has its name: this ring gets nothing any more.
  bool gone() const;

 private:
  LiveRing(std::string interface, int descriptor) : interface_(std::move(interface)), descriptor_(descriptor) {}
  void release_block();

  std::string interface_;
  int descriptor_ = -1;
  unsigned number_ = 0;  ///< the kernel's, of the interface
  LinkType link_ = LinkType::kEthernet;
  bool skip_outgoing_ = false;  ///< a loopback interface shows each packet twice
  std::byte* ring_ = nullptr;
  std::size_t blocks_ = 0;
  std::size_t block_ = 0;           ///< under way, or to be filled next
  std::uint32_t packets_left_ = 0;  ///< in that block
  std::size_t next_offset_ = 0;     ///< of the next packet, from the start of the block
  bool block_done_ = false;         ///< it goes back to the kernel with the next call
  LiveCounters counters_;
};

}  // namespace weir::capture
