// The configuration's `nat`, as values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/ip_address.h"

namespace weir::rewrite {

struct NatSettings {
  /// Outside addresses of one family or of both, and which of their ports are Weir's.
  struct Pool {
    std::vector<IpAddress> outside;
    std::uint16_t first_port = 1024, last_port = 65535;
    bool whole = true;  ///< the addresses are Weir's alone: a port out of the range may be taken, too, where the peer would choose it by itself
  };
  struct Prefix {
    IpAddress address;
    std::uint8_t bits = 128;  ///< of 128: IPv4's are counted behind the 96 of its mapped form
    bool contains(const IpAddress& other) const;
  };
  std::map<IpAddress, IpAddress> fixed;  ///< inside to outside, one to one, all ports
  std::vector<Pool> pools;
  std::vector<Prefix> inside;            ///< whose addresses a pool stands for (gateway.inside)
  std::uint32_t most_mappings = 65'536;  ///< at once; beyond it offers are taken out

  bool empty() const { return fixed.empty() && pools.empty(); }
  bool is_inside(const IpAddress& address) const;
  bool has_pool(bool v4) const;
};

}  // namespace weir::rewrite
