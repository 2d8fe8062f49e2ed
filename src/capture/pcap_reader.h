// Classic pcap (draft-ietf-opsawg-pcap): microseconds or nanoseconds, either byte order, and Kuznetzov's form with longer records.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "base/raw_packet.h"
#include "capture/reader.h"

namespace weir::capture {

/// Which capture point a packet of Linux's cooked mode version 2 belongs to: the interface index in its header.
class CookedPoints {
 public:
  /// `device`: the pcapng interface, where there are several.
  PointId of(std::span<const std::byte> packet, Source& source, std::string_view device);

 private:
  std::uint32_t last_index_ = 0;
  std::optional<PointId> last_point_;
  std::unordered_map<std::uint32_t, PointId> points_;
};

class PcapReader {
 public:
  /// Whether these four octets begin a classic pcap file.
  static bool recognises(const std::byte* magic);
  /// Reads the file's header. An error is in source.error, and next() ends at once.
  explicit PcapReader(Source& source);

  Status next(RawPacket& packet);

 private:
  Status corrupt(std::uint32_t captured);

  Source& source_;
  Window& window_;
  bool swapped_ = false;
  std::uint32_t record_header_ = 16;
  std::uint32_t time_unit_ns_ = 1000;
  LinkType link_ = LinkType::kUnsupported;
  PointId point_ = 0;
  CookedPoints cooked_;
};

}  // namespace weir::capture
