#include "rewrite/nat_settings.h"

#include <algorithm>

namespace weir::rewrite {

bool NatSettings::Prefix::contains(const IpAddress& other) const {
  const std::size_t whole = bits / 8;
  if (!std::equal(address.octets.begin(), address.octets.begin() + static_cast<std::ptrdiff_t>(whole), other.octets.begin())) return false;
  if (bits % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff00U >> (bits % 8U));
  return ((address.octets.at(whole) ^ other.octets.at(whole)) & mask) == 0;
}

bool NatSettings::is_inside(const IpAddress& address) const {
  return std::ranges::any_of(inside, [&](const Prefix& prefix) { return prefix.contains(address); });
}

bool NatSettings::has_pool(bool v4) const {
  return std::ranges::any_of(pools, [&](const Pool& pool) { return std::ranges::any_of(pool.outside, [&](const IpAddress& a) { return a.is_v4() == v4; }); });
}

}  // namespace weir::rewrite
