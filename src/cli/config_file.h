// The configuration file: YAML, every key known, every error with its line.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "cli/config_keys.h"
#include "cli/config_values.h"
#include "cli/gateway_config.h"
#include "cli/nat_config.h"
#include "cli/normalise_options.h"
#include "cli/policy_config.h"
#include "cli/service.h"
#include "inspect/rules/parse.h"
#include "report/log_place.h"

namespace weir::cli {

/// Read where no other is named (CONTRACT.md, "Files and places").
inline constexpr const char* kDefaultConfig = "/etc/weir/weir.yaml";

/// The keys under `sensor`.
struct SensorConfig {
  std::vector<std::string> interfaces;
  std::int64_t workers = 0;             ///< threads; 0: one a CPU
  std::int64_t ring_bytes = 128 << 20;  ///< of each interface, for what the sensor has not come to yet
  bool hardware_times = true;           ///< timestamps: auto; kernel: false
};

/// What a configuration says.
struct Config {
  std::vector<std::string> eve;  ///< log.eve: places
  report::Rotation rotation;     ///< log.rotate_*
  Limits limits;
  std::vector<std::string> rules;  ///< paths, as they stand there
  std::vector<int> rule_lines;     ///< where each of them stands
  SensorConfig sensor;
  ServiceSettings service;               ///< sensor.user, web
  NormaliseOptions normalise;            ///< sensor.normalise
  std::optional<std::string> local;      ///< sensor.local, as a group of addresses
  std::optional<std::string> inventory;  ///< sensor.inventory
  inspect::rules::Variables variables;   ///< the defaults, and vars over them
  GatewayConfig gateway;
  PolicyConfig policy;  ///< policy, categories, feeds
  NatConfig nat;
  KeyLines lines;
};

/// A file, as far as it could be read.
struct ReadConfig {
  Config config;
  std::vector<ConfigError> errors;  ///< in the order of the file; none: it is as `config` has it
  bool knows_hold = false;          ///< in spite of the errors `config` has what a gateway that cannot run is to do: gateway.fail, and which traffic is Weir's
};
ReadConfig read_config_file(const std::string& path);

/// All errors, in the order of the file; at least one if there is no Config.
std::expected<Config, std::vector<ConfigError>> load_config(const std::string& path);

/// Says them as "weir: FILE:LINE: WHY (HINT)".
void say_errors(const std::string& path, const std::vector<ConfigError>& errors);

}  // namespace weir::cli
