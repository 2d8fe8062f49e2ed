// All that is to be probed, as ranges of addresses: a number names a target, so that an order over numbers is one over targets. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "probe/targets/target_text.h"
#include "probe/verdict.h"

namespace weir::probe::targets {

/// A net on one port.
struct Block {
  Prefix prefix;
  std::uint16_t port = 0;
};

/// From the first address to the last.
struct AddressRange {
  IpAddress first, last;
};

/// Addresses and prefixes that are more addresses than this, all together, need an exclusion list: an IPv4 /16, and as many of IPv6.
inline constexpr std::uint64_t kWideAddresses = 1 << 16;
inline constexpr std::uint64_t kMostTargets = std::uint64_t{1} << 62U;

/// Purpose: at(0) ... at(size() - 1), every target once. Invariant: ranges do not overlap, whatever was named twice; nothing
/// excluded is in them. Memory: 40 octets a range, no matter how wide. A value.
class TargetSpace {
 public:
  /// What is wrong, otherwise: more than kMostTargets.
  static std::expected<TargetSpace, std::string> make(std::span<const Block> blocks, std::span<const Prefix> excluded);

  std::uint64_t size() const { return size_; }
  Target at(std::uint64_t index) const;
  /// All addresses; those with several ports may come several times.
  std::vector<AddressRange> addresses() const;
  /// The same for the same targets and exclusions: what a run was interrupted in.
  std::uint64_t fingerprint() const;

 private:
  __extension__ using Wide = unsigned __int128;
  struct Range {
    std::uint16_t port = 0;
    Wide first = 0, last = 0;
    std::uint64_t begin = 0;  ///< the number of its first target
  };
  static Wide number_of(const IpAddress& address);
  static IpAddress address_of(Wide number);
  static Range range_of(const Prefix& prefix);
  static std::vector<Range> merged(std::vector<Range> ranges);
  static std::vector<Range> without(const std::vector<Range>& ranges, const std::vector<Range>& excluded);

  std::vector<Range> ranges_;
  std::uint64_t size_ = 0;
};

}  // namespace weir::probe::targets
