#include "probe/raw/way_table.h"

#include <algorithm>
#include <iterator>

namespace weir::probe::raw {
namespace {

/// The first address behind the net; none: it reaches to the end.
std::optional<IpAddress> behind(const targets::Prefix& net) {
  IpAddress address = net.address;
  for (unsigned bit = net.bits; bit < 128; ++bit) address.octets[bit / 8] |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
  for (std::size_t i = address.octets.size(); i-- > 0;)
    if (++address.octets[i] != 0) return address;
  return std::nullopt;
}

}  // namespace

std::expected<WayTable, std::string> WayTable::make(std::span<const targets::Prefix> nets, std::span<const targets::AddressRange> targets, const Ask& ask) {
  WayTable table;
  auto& begins = table.begins_;
  begins.push_back({});
  for (const targets::Prefix& net : nets) {
    begins.push_back(net.address);
    if (const auto next = behind(net)) begins.push_back(*next);
  }
  std::ranges::sort(begins);
  begins.erase(std::ranges::unique(begins).begin(), begins.end());
  if (begins.size() > kMostPieces) return std::unexpected("this host has more routes than can be kept");
  table.ways_.assign(begins.size(), kNotAsked);
  for (const targets::AddressRange& range : targets) {
    auto piece = static_cast<std::size_t>(std::ranges::upper_bound(begins, range.first) - begins.begin()) - 1;
    for (; piece < begins.size() && begins[piece] <= range.last; ++piece)
      if (table.ways_[piece] == kNotAsked) table.ways_[piece] = ask(std::max(range.first, begins[piece])).value_or(kNone);
  }
  table.merge();
  return table;
}

/// Neighbours that go the same way are one piece, and what has no target belongs to any: a host with one way out has few pieces.
void WayTable::merge() {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < begins_.size(); ++i) {
    if (i > 0 && ways_[i] == kNotAsked) continue;
    if (kept > 0 && (ways_[i] == ways_[kept - 1] || ways_[kept - 1] == kNotAsked)) {
      ways_[kept - 1] = ways_[i];
      continue;
    }
    begins_[kept] = begins_[i];
    ways_[kept++] = ways_[i];
  }
  begins_.resize(kept);
  ways_.resize(kept);
}

std::optional<std::uint32_t> WayTable::at(const IpAddress& target) const {
  const auto next = std::ranges::upper_bound(begins_, target);
  if (next == begins_.begin()) return std::nullopt;
  const std::uint32_t way = ways_[static_cast<std::size_t>(next - begins_.begin()) - 1];
  return way < kNotAsked ? std::optional(way) : std::nullopt;
}

}  // namespace weir::probe::raw
