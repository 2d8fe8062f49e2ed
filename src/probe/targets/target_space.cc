#include "probe/targets/target_space.h"

#include <algorithm>
#include <utility>

namespace weir::probe::targets {

TargetSpace::Wide TargetSpace::number_of(const IpAddress& address) {
  Wide number = 0;
  for (const std::uint8_t octet : address.octets) number = number << 8U | octet;
  return number;
}

IpAddress TargetSpace::address_of(Wide number) {
  IpAddress address;
  for (std::size_t i = address.octets.size(); i-- > 0; number >>= 8U) address.octets[i] = static_cast<std::uint8_t>(number);
  return address;
}

TargetSpace::Range TargetSpace::range_of(const Prefix& prefix) {
  Range range;
  range.first = number_of(prefix.address);
  const Wide behind = prefix.bits == 0 ? ~Wide{0} : (Wide{1} << (128U - prefix.bits)) - 1;
  range.last = range.first | behind;
  return range;
}

std::vector<TargetSpace::Range> TargetSpace::merged(std::vector<Range> ranges) {
  std::ranges::sort(ranges, [](const Range& a, const Range& b) { return std::pair(a.port, a.first) < std::pair(b.port, b.first); });
  std::vector<Range> out;
  for (const Range& range : ranges) {
    if (!out.empty() && out.back().port == range.port && (range.first <= out.back().last || range.first == out.back().last + 1)) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

std::vector<TargetSpace::Range> TargetSpace::without(const std::vector<Range>& ranges, const std::vector<Range>& excluded) {
  std::vector<Range> out;
  for (Range range : ranges) {
    auto hole = std::ranges::lower_bound(excluded, range.first, {}, &Range::last);
    bool whole = true;
    for (; hole != excluded.end() && hole->first <= range.last; ++hole) {
      if (hole->first > range.first) {
        Range before = range;
        before.last = hole->first - 1;
        out.push_back(before);
      }
      if (hole->last >= range.last) {
        whole = false;
        break;
      }
      range.first = hole->last + 1;
    }
    if (whole) out.push_back(range);
  }
  return out;
}

std::expected<TargetSpace, std::string> TargetSpace::make(std::span<const Block> blocks, std::span<const Prefix> excluded) {
  std::vector<Range> ranges, holes;
  for (const Block& block : blocks) {
    ranges.push_back(range_of(block.prefix));
    ranges.back().port = block.port;
  }
  for (const Prefix& prefix : excluded) holes.push_back(range_of(prefix));
  TargetSpace space;
  space.ranges_ = without(merged(std::move(ranges)), merged(std::move(holes)));
  for (Range& range : space.ranges_) {
    range.begin = space.size_;
    const Wide count = range.last - range.first;  // less by one: all of IPv6 has no number of its own
    if (count >= kMostTargets - space.size_) return std::unexpected("more than 2^62 targets: prefixes as wide as that cannot be walked through");
    space.size_ += static_cast<std::uint64_t>(count) + 1;
  }
  return space;
}

Target TargetSpace::at(std::uint64_t index) const {
  const auto behind = std::ranges::upper_bound(ranges_, index, {}, &Range::begin);
  const Range& range = *std::prev(behind);
  return {.address = address_of(range.first + (index - range.begin)), .port = range.port};
}

std::vector<AddressRange> TargetSpace::addresses() const {
  std::vector<AddressRange> all;
  for (const Range& range : ranges_) all.push_back({.first = address_of(range.first), .last = address_of(range.last)});
  return all;
}

std::uint64_t TargetSpace::fingerprint() const {
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  const auto add = [&](std::uint64_t word) {
    for (int i = 0; i < 8; ++i, word >>= 8U) hash = (hash ^ (word & 0xffU)) * 0x100000001b3ULL;
  };
  for (const Range& range : ranges_) {
    add(range.port);
    add(static_cast<std::uint64_t>(range.first >> 64U));
    add(static_cast<std::uint64_t>(range.first));
    add(static_cast<std::uint64_t>(range.last >> 64U));
    add(static_cast<std::uint64_t>(range.last));
  }
  return hash;
}

}  // namespace weir::probe::targets
