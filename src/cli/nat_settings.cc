#include "cli/nat_settings.h"

namespace weir::cli {

rewrite::NatSettings nat_settings(const NatConfig& nat, const GatewayConfig& gateway) {
  rewrite::NatSettings settings;
  for (const NatConfig::Static& pair : nat.fixed) settings.fixed.emplace(pair.inside, pair.outside);
  for (const NatConfig::Pool& pool : nat.pools)
    settings.pools.push_back({.outside = pool.outside, .first_port = pool.first_port, .last_port = pool.last_port, .timeout_seconds = pool.seconds});
  if (gateway.has_inside) settings.inside = gateway.inside;
  return settings;
}

}  // namespace weir::cli
