// The configuration file: YAML, every key known, every error with its line.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/limits.h"
#include "cli/normalise_options.h"
#include "cli/service.h"
#include "inspect/rules/parse.h"
#include "report/log_place.h"

namespace weir::cli {

/// What this version uses of a configuration.  Keys of other parts are checked and left.
struct Config {
  std::vector<std::string> eve;  ///< log.eve: places
  report::Rotation rotation;     ///< log.rotate_*
  Limits limits;
  std::vector<std::string> rules;       ///< paths, as they stand there
  ServiceSettings service;              ///< sensor.user, web
  std::vector<std::string> interfaces;  ///< sensor.interfaces
  NormaliseOptions normalise;           ///< sensor.normalise
  inspect::rules::Variables variables;  ///< the defaults, and vars over them
};

struct ConfigError {
  int line = 0;  ///< from 1; 0: the file as a whole
  std::string why, hint;
};

/// All errors, in the order of the file; at least one if there is no Config.
std::expected<Config, std::vector<ConfigError>> load_config(const std::string& path);

/// Says them as "weir: FILE:LINE: WHY (HINT)".
void say_errors(const std::string& path, const std::vector<ConfigError>& errors);

}  // namespace weir::cli
