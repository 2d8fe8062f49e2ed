// IP fragments into datagrams, as Linux does it: an overlap other than an exact duplicate drops the whole datagram
// (RFC 5722 for IPv6, CVE-2018-5391's mend for IPv4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/raw_packet.h"
#include "wire/decode.h"

namespace weir::wire {

struct DefragmentLimits {
  std::uint32_t max_datagrams = 4096;    ///< incomplete datagrams at once; at the limit the oldest is dropped
  std::uint32_t max_bytes = 16U << 20U;  ///< octets held at once; at the limit the oldest is dropped
  TimeNs timeout_ns = 30'000'000'000;    ///< Linux: net.ipv4.ipfrag_time
};

struct DefragmentCounters {
  std::uint64_t fragments = 0, datagrams = 0, timeouts = 0, evicted = 0, overlaps = 0;
  std::uint64_t bytes_held = 0;
};

/// Purpose: collects fragments per (capture point, tunnel, source, destination, protocol, id).
/// Invariant: bytes held never exceed the limits. One owner, one thread; time comes in with the packet.
class Defragmenter {
 public:
  explicit Defragmenter(DefragmentLimits limits = {});
  ~Defragmenter();
  enum class Result : std::uint8_t { kHeld, kComplete, kDropped };
  /// Adds a fragment (`in.kind` is kFragment). kComplete: `out` is the decoded datagram, whose bytes stay valid until the
  /// next call. kDropped: `in.error`-like reason in `error()`.
  Result push(const Decoded& in, PointId point, TimeNs now_ns, Decoded& out);
  DecodeError error() const;
  const DefragmentCounters& counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::wire
