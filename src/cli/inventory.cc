// `weir inventory`: what the sensor has learnt of who speaks MPTCP.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "cli/command_line.h"
#include "cli/say.h"
#include "cli/sensor_options.h"
#include "cli/verbs.h"
#include "report/inventory_file.h"
#include "report/inventory_text.h"
#include "report/terminal.h"

namespace weir::cli {
namespace {

constexpr const char* kAbout =
    "Says which local hosts and services speak MPTCP: in which version, as client or server, since when, and who refuses it.\n"
    "Reads the file that weir sensor keeps (sensor.inventory), once a minute and at its end.";

constexpr const char* kExample =
    "Exit status: 0 done; 1 there is no such file, or it is no inventory; 2 wrong usage or configuration.\n"
    "\n"
    "Example:\n"
    "  weir inventory --csv > inventory.csv";

}  // namespace

int inventory(std::span<const char* const> arguments) {
  std::optional<std::string> state, config;
  bool csv = false, json = false;
  CommandLine line("inventory", kAbout, kExample);
  line.text("--state", state, "FILE", "the inventory's file (default: sensor.inventory of the configuration)");
  line.text("--config", config, "FILE", "configuration (default: /etc/weir/weir.yaml, if it is there)");
  auto* as_csv = line.app().add_flag("--csv", csv, "as comma-separated values");
  line.app().add_flag("--json", json, "as JSON")->excludes(as_csv);
  if (const auto status = line.parse(arguments)) return *status;

  if (!state) {
    const auto file = inventory_file(config);
    if (!file) return file.error();
    state = *file;
  }
  const auto read = report::read_inventory(*state);
  if (!read) return say(read.error().problem), kNotDone;
  if (!*read) return say(*state, "there is no such file", "weir sensor writes it, sensor.inventory in the configuration names it"), kNotDone;
  const auto& entries = **read;
  return show(csv    ? report::inventory_csv(entries)
              : json ? report::inventory_json(entries)
                     : report::inventory_table(entries, report::TextStyle::of(STDOUT_FILENO)));
}

}  // namespace weir::cli
