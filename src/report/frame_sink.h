// Where whole frames go: a capture file now, an interface for others to listen on later, a list in tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/raw_packet.h"

namespace weir::report {

class FrameSink {
 public:
  virtual ~FrameSink() = default;
  /// `frame` starts with a header of the sink's link type; `original_bytes` as in RawPacket.
  virtual void write(TimeNs time, std::span<const std::byte> frame, std::uint32_t original_bytes) = 0;
};

}  // namespace weir::report
