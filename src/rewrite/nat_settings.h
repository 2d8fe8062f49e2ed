// The configuration's `nat`, as values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/ip_address.h"
#include "inspect/rules/rule.h"

namespace weir::rewrite {

struct NatSettings {
  /// Outside addresses, and which of their ports are Weir's: where the addresses are used by no one else, all of them.
  struct Pool {
    std::vector<IpAddress> outside;
    std::uint16_t first_port = 1, last_port = 65535;
    std::int64_t timeout_seconds = 300;  ///< of a mapping in the kernel, renewed at half of it while it is used
  };
  std::map<IpAddress, IpAddress> fixed;  ///< inside to outside, one to one, all ports
  std::vector<Pool> pools;
  std::optional<inspect::rules::AddressGroup> inside;  ///< whose addresses a pool stands for (gateway.inside); none: no one's
  std::uint32_t most_mappings = 65'536;                ///< at once; beyond it offers are taken out

  bool empty() const { return fixed.empty() && pools.empty(); }
  bool is_inside(const IpAddress& address) const { return inside && inside->contains(address); }
  bool has_pool(bool v4) const;
};

}  // namespace weir::rewrite
