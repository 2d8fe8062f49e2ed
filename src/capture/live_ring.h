// Packets of one network interface as they come: rings that the kernel fills (AF_PACKET, TPACKET_V3; packet(7)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/raw_packet.h"
#include "capture/error.h"
#include "capture/packet_source.h"

namespace weir::capture {

struct LiveSettings {
  std::size_t rings = 1;               ///< the kernel divides the packets among them, so that both directions of a flow come to one
  std::size_t ring_bytes = 128 << 20;  ///< of all of them together; rounded up to whole blocks, at least kLeastRing each
  unsigned block_timeout_ms = 10;      ///< a block that is not full is handed over after this time
  bool promiscuous = true;             ///< also what is for other hosts
  bool filter = true;                  ///< without what kernel_filter() drops
  bool hardware_times = true;          ///< the interface's own times, where it has any for all packets
};

/// Purpose: the packets of an interface, both directions, without copying them. Ownership: socket and ring; one owner, one thread.
/// Invariant: nothing is seen from before open(). A VLAN tag that the kernel took off stands where it was. Times are the kernel's, or the
/// interface's as long as its clock is near the system's: nanoseconds since 1970 UTC.
/// Limits: the ring (LiveSettings::ring_bytes); when it is full the kernel drops, and counts.
class LiveRing : public PacketSource {
 public:
  static constexpr std::size_t kLeastRing = 4 << 20;

  /// As many as LiveSettings::rings. Error::what for people: no such interface, no permission, no Ethernet or IP on it.
  static std::expected<std::vector<std::unique_ptr<LiveRing>>, Error> open(const std::string& interface, const LiveSettings& settings);
  LiveRing(const LiveRing&) = delete;
  LiveRing& operator=(const LiveRing&) = delete;
  ~LiveRing() override;

  int descriptor() const override { return descriptor_; }
  std::size_t next_batch(std::span<RawPacket> packets, PointId point) override;
  LiveCounters counters() override;
  /// ENETDOWN while the interface is down (it goes on when that is up again).
  int take_error() override;
  /// The kernel's, of the interface: when the name has another one, this ring gets nothing any more.
  unsigned number() const { return number_; }

 private:
  LiveRing(std::string interface, int descriptor) : interface_(std::move(interface)), descriptor_(descriptor) {}
  std::expected<void, Error> open_one(const LiveSettings& settings);
  std::expected<void, Error> start(const LiveSettings& settings, std::uint16_t& group, bool first);
  bool use_filter(bool all);
  void release_block();
  void restore_tag(RawPacket& packet, std::byte* start, std::uint16_t protocol, std::uint16_t tag) const;
  TimeNs checked(TimeNs hardware);

  std::string interface_;
  int descriptor_ = -1;
  unsigned number_ = 0;
  LinkType link_ = LinkType::kEthernet;
  bool skip_outgoing_ = false;  ///< a loopback interface shows each packet twice
  std::byte* ring_ = nullptr;
  std::size_t blocks_ = 0;
  std::size_t block_ = 0;           ///< under way, or to be filled next
  std::uint32_t packets_left_ = 0;  ///< in that block
  std::size_t next_offset_ = 0;     ///< of the next packet, from the start of the block
  bool block_done_ = false;         ///< it goes back to the kernel with the next call
  TimeNs block_seen_ns_ = 0;        ///< the system's time when the block under way was first looked at
  LiveCounters counters_;
};

}  // namespace weir::capture
