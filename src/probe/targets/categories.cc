#include "probe/targets/categories.h"

#include <algorithm>

namespace weir::probe::targets {

void Categories::add(const Prefix& prefix, std::string_view category) {
  const auto known = std::ranges::find(names_, category);
  const auto name = static_cast<std::uint32_t>(known - names_.begin());
  if (known == names_.end()) names_.emplace_back(category);
  auto& of = by_bits_[prefix.bits][prefix.address];
  if (std::ranges::find(of, name) == of.end()) of.push_back(name);
}

void Categories::append(const IpAddress& address, std::vector<std::string>& into) const {
  for (const auto& [bits, prefixes] : by_bits_) {
    const auto found = prefixes.find(first_of(address, bits));
    if (found == prefixes.end()) continue;
    for (const std::uint32_t name : found->second) into.push_back(names_[name]);
  }
}

}  // namespace weir::probe::targets
