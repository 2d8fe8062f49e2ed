// The configuration's `nat` and `gateway.inside`, as ADD_ADDR's translation takes them.
#pragma once

#include "cli/gateway_config.h"
#include "cli/nat_config.h"
#include "rewrite/nat_settings.h"

namespace weir::cli {

rewrite::NatSettings nat_settings(const NatConfig& nat, const GatewayConfig& gateway);

}  // namespace weir::cli
