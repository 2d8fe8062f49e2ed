// With several capture points: which packets another point has shown already.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "base/raw_packet.h"
#include "wire/decode.h"

namespace weir::report {

/// Purpose: tells the packet that a second point shows from one that was sent twice: the n-th copy at a point is new if no
/// other point has shown n of it within the last seconds. What routers change (TTL, traffic class) and offload leaves
/// unfinished (checksums) does not count as a difference.
/// Invariant: two generations of at most kEntries packets are remembered. One owner, one thread.
class DuplicateFilter {
 public:
  DuplicateFilter();
  ~DuplicateFilter();
  /// True if `packet` (an IP packet) is to be left out.
  bool seen_elsewhere(const wire::Decoded& packet, PointId point, TimeNs now);

 private:
  static constexpr TimeNs kGeneration = 2'000'000'000;  // ns: a packet is remembered 2 to 4 s
  static constexpr std::size_t kEntries = 65'536;       // packets a generation

  using Digest = std::array<std::uint64_t, 2>;
  struct Entry {
    std::uint32_t written = 0;
    boost::container::small_vector<std::pair<PointId, std::uint32_t>, 2> counts;
  };
  using Generation = boost::unordered_flat_map<Digest, Entry>;

  Digest digest(const wire::Decoded& packet);

  struct Hash;
  std::unique_ptr<Hash> hash_;
  Generation current_, previous_;
  TimeNs began_ = 0;
};

}  // namespace weir::report
