// What `weir sensor` is asked to do: the command line over the configuration.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/config_file.h"
#include "cli/inspect_options.h"
#include "cli/normalise_options.h"
#include "cli/service.h"

namespace weir::cli {

struct SensorOptions {
  InspectOptions inspect;  ///< rules and outputs; its captures are the interfaces
  ServiceSettings service;
  NormaliseOptions normalise;
  std::string config;                    ///< read again on SIGHUP; empty: none
  std::size_t workers = 0;               ///< 0: one a CPU, up to sensor::kUsualWorkers
  std::size_t ring_bytes = 0;            ///< of each interface
  bool hardware_times = true;            ///< where an interface has them
  report::LogSettings log;               ///< where no place of the log is named: all else of it
  std::optional<Config> loaded;          ///< what the configuration said at the start
  std::vector<std::string> rules_given;  ///< on the command line: they win over the configuration's, also after a reload
};

/// Where the configuration (`config`, or the default one if it is there) has the inventory kept, or the exit status.
std::expected<std::string, int> inventory_file(const std::optional<std::string>& config);

/// The options, or the exit status where there is nothing more to do (help, wrong usage): all is said already.
std::expected<SensorOptions, int> parse_sensor(std::span<const char* const> arguments);

}  // namespace weir::cli
