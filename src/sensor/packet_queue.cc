#include "sensor/packet_queue.h"

#include <algorithm>
#include <cstring>

namespace weir::sensor {

/// Before each packet's octets. `bytes` of kRest: the rest of the memory is not used, and the next header stands at its start.
struct PacketQueue::Header {
  std::uint32_t bytes = 0;
  std::uint32_t original_bytes = 0;
  TimeNs time_ns = 0;
  LinkType link = LinkType::kEthernet;
  PointId point = 0;
};

namespace {

constexpr std::uint32_t kRest = ~0U;
constexpr std::size_t kAlign = 8;

std::size_t rounded(std::size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

PacketQueue::PacketQueue(std::size_t bytes) : size_(bytes), memory_(std::make_unique_for_overwrite<std::byte[]>(bytes)) {}

bool PacketQueue::push(const RawPacket& packet) {
  static_assert(sizeof(Header) % kAlign == 0);
  const std::size_t needed = sizeof(Header) + rounded(packet.bytes.size());
  std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  const std::size_t rest = size_ - (tail & (size_ - 1));
  const std::size_t with_rest = needed <= rest ? needed : rest + needed;
  if (tail + with_rest - freed_seen_ > size_) {
    freed_seen_ = freed_.load(std::memory_order_acquire);
    if (tail + with_rest - freed_seen_ > size_) return false;
  }
  if (needed > rest) {
    // A header's first word always fits: everything is aligned to kAlign.
    std::memcpy(at(tail), &kRest, sizeof kRest);
    tail += rest;
  }
  const Header header{.bytes = static_cast<std::uint32_t>(packet.bytes.size()),
                      .original_bytes = packet.original_bytes,
                      .time_ns = packet.time_ns,
                      .link = packet.link,
                      .point = packet.point};
  std::memcpy(at(tail), &header, sizeof header);
  if (!packet.bytes.empty()) std::memcpy(at(tail) + sizeof header, packet.bytes.data(), packet.bytes.size());
  // In one order with "the other side sleeps" (worker.cc): either it sees the packet, or it is seen sleeping.
  tail_.store(tail + needed, std::memory_order_seq_cst);
  return true;
}

std::size_t PacketQueue::take(std::span<RawPacket> packets) {
  freed_.store(head_, std::memory_order_release);
  const std::uint64_t tail = tail_.load(std::memory_order_acquire);
  std::size_t count = 0;
  while (head_ != tail && count < packets.size()) {
    Header header;
    std::memcpy(&header.bytes, at(head_), sizeof header.bytes);
    if (header.bytes == kRest) {
      head_ += size_ - (head_ & (size_ - 1));
      continue;
    }
    std::memcpy(&header, at(head_), sizeof header);
    packets[count++] = {.bytes = {at(head_) + sizeof header, header.bytes},
                        .original_bytes = header.original_bytes,
                        .time_ns = header.time_ns,
                        .link = header.link,
                        .point = header.point,
                        .stays = false};
    head_ += sizeof header + rounded(header.bytes);
  }
  return count;
}

}  // namespace weir::sensor
