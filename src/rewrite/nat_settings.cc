#include "rewrite/nat_settings.h"

#include <algorithm>

namespace weir::rewrite {

bool NatSettings::has_pool(bool v4) const {
  return std::ranges::any_of(pools, [&](const Pool& pool) { return std::ranges::any_of(pool.outside, [&](const IpAddress& a) { return a.is_v4() == v4; }); });
}

}  // namespace weir::rewrite
