// The configuration's `nat`: whose addresses in ADD_ADDR are translated, and to what.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <vector>

#include "base/ip_address.h"
#include "cli/config_values.h"

namespace weir::cli {

struct NatConfig {
  /// {inside, outside}: one to one, every port.
  struct Static {
    IpAddress inside, outside;
  };
  /// pool: {outside, ports, seconds}: an address and a port for as long as it is used.
  struct Pool {
    std::vector<IpAddress> outside;  ///< all of one family
    std::uint16_t first_port = 0, last_port = 0;
    std::int64_t seconds = 300;  ///< a mapping lasts so long without a packet
  };
  std::vector<Static> fixed;
  std::vector<Pool> pools;
  bool empty() const { return fixed.empty() && pools.empty(); }
};

void read_nat(const YAML::Node& nat, ConfigValues& values, NatConfig& into);

}  // namespace weir::cli
