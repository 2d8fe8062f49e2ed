// The configuration's keys under `gateway`.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cli/config_values.h"
#include "inspect/rules/parse.h"
#include "inspect/rules/rule.h"

namespace weir::cli {

enum class FailMode : std::uint8_t { kOpen, kClosed };

/// What becomes of traffic that Weir cannot decide on, by the reason. gateway.fail as one word is all of them.
struct FailModes {
  FailMode dead = FailMode::kOpen;         ///< no process listens to the queue
  FailMode queue = FailMode::kOpen;        ///< the kernel's queue is full
  FailMode memory = FailMode::kOpen;       ///< a limit is reached: connections, copies
  FailMode unseen_path = FailMode::kOpen;  ///< a connection has bytes on a path that Weir does not see
};

struct GatewayConfig {
  std::vector<std::string> interfaces;  ///< empty: all forwarded traffic
  inspect::rules::AddressGroup inside;
  bool has_inside = false;
  FailModes fail;
  bool drop_forged = true;      ///< gateway.forged: drop; false: alert
  bool drop_signatures = true;  ///< gateway.signatures: drop, as rules say; false: alert
  std::int64_t queues = 1;
  std::int64_t first_queue = 8'384;
  std::int64_t queue_packets = 8'192;  ///< that wait in the kernel, for each queue
  bool offload = true;
  std::string state = "/var/lib/weir/gateway.state";  ///< empty: not kept
  std::int64_t state_seconds = 1;
  std::int64_t proxy_port = 0;         ///< of the action proxy's listener on this machine; 0: each connection's own
  std::int64_t proxy_table = 8'384;    ///< of routes, by which its packets stay here; 0: they get their mark, and are routed as the operator says
  std::int64_t drain_seconds = 3'600;  ///< then a drain is over, whatever is left
  std::string control_socket = "/run/weir/gateway.sock";  ///< empty: none
  std::string token_file;                                 ///< empty: no control over HTTP
  bool control_remote = false;                            ///< by HTTP from other machines too, if web.listen is no loopback address
};

/// False: what the kernel is to do with traffic that no gateway decides on is not known, as interfaces, fail, queues or the proxy have errors.
bool read_gateway(const YAML::Node& gateway, const inspect::rules::Variables& variables, ConfigValues& values, GatewayConfig& into);

}  // namespace weir::cli
