// Control of the gateway over HTTP: the token, and the way of a request into the gateway's queue.
#pragma once

#include "cli/gateway_config.h"
#include "gateway/request_queue.h"
#include "web/api.h"

namespace weir::cli {

/// Reads the token while the process may: before privileges are dropped. Without one it is said why, here and to whoever asks. The queue outlives it.
web::Api control_api(const GatewayConfig& config, gateway::RequestQueue& queue);

}  // namespace weir::cli
