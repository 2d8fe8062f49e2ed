// pcapng (draft-ietf-opsawg-pcapng): several sections of either byte order, interfaces with names and clocks of their own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/raw_packet.h"
#include "capture/pcap_reader.h"
#include "capture/reader.h"

namespace weir::capture {

/// The time stamps of an interface: ticks of 10^-n or 2^-n seconds, and an offset in seconds.
struct InterfaceClock {
  std::uint64_t multiply = 1000, divide = 1;  ///< ticks to nanoseconds; microseconds unless told
  unsigned shift = 0;                         ///< power of two to divide by, after that
  std::int64_t offset_s = 0;

  static InterfaceClock of(std::uint8_t if_tsresol, std::int64_t if_tsoffset);
  /// Nothing if the time is before 1970 or too far away for TimeNs.
  std::optional<TimeNs> time(std::uint64_t ticks) const;
};

/// Invariant: a block that can be told from its neighbours but not understood is passed over and noted; where the lengths of
/// blocks contradict each other, reading ends.
class PcapngReader {
 public:
  static bool recognises(const std::byte* magic);
  explicit PcapngReader(Source& source) : source_(source), window_(source.window) {}

  Status next(RawPacket& packet);

 private:
  struct Interface {
    LinkType link = LinkType::kUnsupported;
    std::uint32_t link_number = 0;
    std::uint32_t snap_length = 0;
    InterfaceClock clock;
    PointId point = 0;
    bool shared_point = false;
    std::string name;
    CookedPoints cooked;
  };
  struct Block {
    std::uint32_t type = 0;
    std::uint32_t length = 0;  ///< all of it, its two length fields included
  };

  /// Steps over what is left of the block before, and its closing length; then the next one's first octets stand at the window.
  std::optional<Status> begin_block(Block& block);
  std::optional<Status> begin_section();
  void declare_interface(const Block& block);
  /// The packet of the block at the window; false: it is passed over.
  bool enhanced_packet(const Block& block, RawPacket& packet);
  bool simple_packet(const Block& block, RawPacket& packet);
  bool give(Interface& interface, std::size_t data_at, std::uint32_t captured, std::uint32_t original, RawPacket& packet);
  void end_block(const Block& block) { closing_length_ = block.length; }

  std::uint16_t u16(std::size_t at) const { return load<std::uint16_t>(window_.at() + at, swapped_); }
  std::uint32_t u32(std::size_t at) const { return load<std::uint32_t>(window_.at() + at, swapped_); }

  Source& source_;
  Window& window_;
  bool swapped_ = false;
  std::uint32_t closing_length_ = 0;  ///< of the block whose closing length has still to be checked; 0: none
  std::uint64_t block_end_ = 0;       ///< offset of that closing length
  TimeNs last_time_ = 0;              ///< a simple packet block has none of its own
  std::vector<Interface> interfaces_;
  /// Interfaces of all sections: the same name (or number) in a later section is the same capture point.
  std::map<std::pair<std::string, unsigned>, PointId> known_;
};

}  // namespace weir::capture
