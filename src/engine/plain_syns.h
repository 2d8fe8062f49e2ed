// SYNs without an option, for a short while: the copy of one at another point may turn out to have had MP_JOIN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/raw_packet.h"

namespace weir::engine {

/// A packet with octets of its own.
struct KeptPacket {
  std::vector<std::byte> bytes;
  RawPacket packet;  ///< its bytes lead nowhere

  /// Valid as long as this one stays.
  RawPacket view() const {
    RawPacket out = packet;
    out.bytes = bytes;
    return out;
  }
};

/// Purpose: the latest plain SYNs by their initial sequence number. Invariant: never more than `most`; a new one takes the oldest one's place, and
/// one of more than kLongest octets (a SYN has 130 at most, and a tunnel around it) is not kept. One owner, one thread (or a lock around it).
class PlainSyns {
 public:
  static constexpr std::size_t kLongest = 512;

  explicit PlainSyns(std::size_t most) : most_(most > 0 ? most : 1) {}

  void keep(std::uint64_t opener, const RawPacket& packet);
  /// Those of this opener, the oldest first; they are not kept any more.
  std::vector<KeptPacket> take(std::uint64_t opener);

 private:
  struct Kept {
    std::uint64_t opener = 0;
    bool taken = true;
    KeptPacket syn;
  };
  std::size_t most_;
  std::size_t next_ = 0;  ///< where the next one goes: the oldest one's place, once all are in use
  std::vector<Kept> kept_;
};

}  // namespace weir::engine
