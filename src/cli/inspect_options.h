// What `weir inspect` is asked to do: the command line over the configuration.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/limits.h"
#include "engine/engine.h"
#include "inspect/rules/parse.h"
#include "report/line_output.h"
#include "report/log_writer.h"

namespace weir::cli {

struct InspectOptions {
  std::vector<std::string> captures;
  std::optional<std::string> log;
  report::LineOutput::Mode log_mode = report::LineOutput::Mode::kReplace;
  std::optional<report::LogSettings> service_log;  ///< instead of `log`: lines may get lost, the work never waits
  std::optional<std::string> export_pcap, export_streams, export_files, report;
  std::vector<std::string> rules;  ///< files and folders
  inspect::rules::Variables variables = inspect::rules::default_variables();
  engine::ChecksumPolicy checksums = engine::ChecksumPolicy::kAuto;
  bool all_tcp = false;
  bool quiet = false;
  std::string local = "$HOME_NET";       ///< whose hosts are in the inventory: a group of addresses
  std::optional<std::string> inventory;  ///< the file that keeps it
  bool inventory_by_default = false;     ///< that file is the default one: its folder may be missing
  Limits limits;

  bool summary() const { return !quiet && log != "-"; }
};

/// The options, or the exit status where there is nothing more to do (help, wrong usage): all is said already.
std::expected<InspectOptions, int> parse_inspect(std::span<const char* const> arguments);

}  // namespace weir::cli
