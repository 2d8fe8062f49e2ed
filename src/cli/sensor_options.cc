#include "cli/sensor_options.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "cli/command_line.h"

namespace weir::cli {
namespace {

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

/// The words of --normalise-create and --normalise-other, as they are given.
struct NormaliseWords {
  std::string create, other;
};

std::optional<int> take(const NormaliseWords& words, NormaliseOptions& into) {
  if (!words.create.empty()) into.create = create_link_of(words.create);
  if (!words.create.empty() && !into.create) return refuse("--normalise-create", fmt::format("'{}' is none of {}", words.create, kCreateWords));
  if (!words.other.empty()) into.others = other_packets_of(words.other);
  if (!words.other.empty() && !into.others) return refuse("--normalise-other", fmt::format("'{}' is none of {}", words.other, kOtherWords));
  return std::nullopt;
}

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
  NormaliseWords words;
  line.app()
      .add_option("--normalise-to", options.normalise.interface, "an interface for another IDS: every MPTCP connection as one plain TCP flow")
      ->type_name("IFACE");
  line.app()
      .add_option("--normalise-create", words.create, "how to make it if it is not there (default: none, that is an error)")
      ->type_name("none|dummy|tap|veth");
  line.app().add_option("--normalise-other", words.other, "which packets of no MPTCP connection go there as well (default: all)")->type_name("all|tcp|none");
  line.app().add_option("--config", options.config, "configuration (default: /etc/weir/weir.yaml, if it is there); options win over it")->type_name("FILE");
  if (const auto status = line.parse(arguments)) return std::unexpected(*status);

  if (const auto status = take(words, options.normalise)) return std::unexpected(*status);
  if (line.app().count("--normalise-to") > 0 && options.normalise.interface.empty())
    return std::unexpected(refuse("--normalise-to", "needs a name that is not empty"));

  options.rules_given = inspect.rules;
  report::LogSettings log;
  if (inspect.log) log.places = {*inspect.log};
  SensorConfig sensor;
  std::error_code error;
  if (line.app().count("--config") == 0 && std::filesystem::exists(kDefaultConfig, error)) options.config = kDefaultConfig;
  if (!options.config.empty()) {
    const auto config = read_config(options.config);
    if (!config) return std::unexpected(config.error());
    options.loaded = *config;
    apply(*config, inspect);
    if (log.places.empty()) log.places = config->eve;
    log.rotation = config->rotation;
    options.service = config->service;
    options.normalise.complete(config->normalise);
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
  options.log = log;
  if (!log.places.empty()) inspect.service_log = std::move(log);
  options.workers = static_cast<std::size_t>(sensor.workers);
  options.ring_bytes = static_cast<std::size_t>(sensor.ring_bytes);
  options.hardware_times = sensor.hardware_times;
  options.service.configures_links =
      !options.normalise.interface.empty() && options.normalise.create.value_or(capture::CreateLink::kNone) != capture::CreateLink::kNone;
  if (inspect.captures.empty())
    return std::unexpected(refuse("sensor", "no interface is named", "-i IFACE, or sensor: {interfaces: [...]} in the configuration"));
  if (std::set<std::string>(inspect.captures.begin(), inspect.captures.end()).size() != inspect.captures.size())
    return std::unexpected(refuse("-i", "an interface is named twice"));
  return options;
}

}  // namespace weir::cli
