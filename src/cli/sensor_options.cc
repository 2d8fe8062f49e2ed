#include "cli/sensor_options.h"

#include <filesystem>
#include <set>
#include <utility>

#include "cli/command_line.h"

namespace weir::cli {
namespace {

constexpr const char* kDefaultConfig = "/etc/weir/weir.yaml";

constexpr const char* kDefaultInventory = "/var/lib/weir/inventory.json";

constexpr const char* kAbout =
    "Watches interfaces, rebuilds every MPTCP connection on them, inspects and reports.\n"
    "Several interfaces are capture points of one network. Prints \"weir: ready\" when traffic is being seen.";

constexpr const char* kExample =
    "Signals: TERM and INT end it with the last records written, HUP reads rules and variables again, USR1 opens the log again.\n"
    "Exit status: 0 ended by a signal; 1 an interface or output failed; 2 wrong usage or configuration.\n"
    "\n"
    "Example:\n"
    "  weir sensor -i eth0 -i eth1 --rules /etc/weir/rules --log /var/log/weir/eve.json";

}  // namespace

std::expected<std::string, int> inventory_file(const std::optional<std::string>& config) {
  std::error_code error;
  if (!config && !std::filesystem::exists(kDefaultConfig, error)) return kDefaultInventory;
  const auto read = read_config(config.value_or(kDefaultConfig));
  if (!read) return std::unexpected(read.error());
  return read->inventory.value_or(kDefaultInventory);
}

std::expected<SensorOptions, int> parse_sensor(std::span<const char* const> arguments) {
  SensorOptions options;
  InspectOptions& inspect = options.inspect;
  inspect.quiet = true;

  CommandLine line("sensor", kAbout, kExample);
  line.app().add_option("-i,--interface", inspect.captures, "an interface to watch; may be repeated")->type_name("IFACE")->allow_extra_args(false);
  line.inspection(inspect);
  line.app().add_option("--config", options.config, "configuration (default: /etc/weir/weir.yaml, if it is there); options win over it")->type_name("FILE");
  if (const auto status = line.parse(arguments)) return std::unexpected(*status);

  options.rules_given = inspect.rules;
  report::LogSettings log;
  if (inspect.log) log.places = {*inspect.log};
  SensorConfig sensor;
  std::error_code error;
  if (line.app().count("--config") == 0 && std::filesystem::exists(kDefaultConfig, error)) options.config = kDefaultConfig;
  if (!options.config.empty()) {
    const auto config = read_config(options.config);
    if (!config) return std::unexpected(config.error());
    apply(*config, inspect);
    if (log.places.empty()) log.places = config->eve;
    log.rotation = config->rotation;
    options.service = config->service;
    sensor = config->sensor;
    if (inspect.captures.empty()) inspect.captures = sensor.interfaces;
    inspect.inventory = config->inventory;
  }
  if (!inspect.inventory) {
    inspect.inventory = kDefaultInventory;
    inspect.inventory_by_default = true;
  }
  inspect.log.reset();
  log.queue_bytes = static_cast<std::size_t>(inspect.limits.log_queue_bytes);
  if (!log.places.empty()) inspect.service_log = std::move(log);
  options.workers = static_cast<std::size_t>(sensor.workers);
  options.ring_bytes = static_cast<std::size_t>(sensor.ring_bytes);
  options.hardware_times = sensor.hardware_times;
  if (inspect.captures.empty())
    return std::unexpected(refuse("sensor", "no interface is named", "-i IFACE, or sensor: {interfaces: [...]} in the configuration"));
  if (std::set<std::string>(inspect.captures.begin(), inspect.captures.end()).size() != inspect.captures.size())
    return std::unexpected(refuse("-i", "an interface is named twice"));
  return options;
}

}  // namespace weir::cli
