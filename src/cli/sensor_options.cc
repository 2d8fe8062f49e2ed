#include "cli/sensor_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <set>

#include "cli/config_file.h"
#include "cli/say.h"

namespace weir::cli {
namespace {

constexpr const char* kDefaultConfig = "/etc/weir/weir.yaml";

constexpr const char* kAbout =
    "Watches interfaces, rebuilds every MPTCP connection on them, inspects and reports.\n"
    "Several interfaces are capture points of one network. Prints \"weir: ready\" when traffic is being seen.";

constexpr const char* kExample =
    "Signals: TERM and INT end it with the last records written, HUP reads rules and variables again, USR1 opens the log again.\n"
    "Exit status: 0 ended by a signal; 1 an interface or output failed; 2 wrong usage or configuration.\n"
    "\n"
    "Example:\n"
    "  weir sensor -i eth0 -i eth1 --rules /etc/weir/rules --log /var/log/weir/eve.json";

int refuse(std::string_view what, std::string_view why, std::string_view hint = {}) {
  say(what, why, hint);
  return kBadUsage;
}

}  // namespace

std::expected<SensorOptions, int> parse_sensor(std::span<const char* const> arguments) {
  static const std::map<std::string, engine::ChecksumPolicy> kPolicies{
      {"auto", engine::ChecksumPolicy::kAuto}, {"verify", engine::ChecksumPolicy::kVerify}, {"ignore", engine::ChecksumPolicy::kIgnore}};
  SensorOptions options;
  InspectOptions& inspect = options.inspect;
  inspect.quiet = true;
  inspect.log_mode = report::LineOutput::Mode::kAppend;
  std::string log, pcap, streams, files, checksums = "auto";

  CLI::App app(kAbout, "weir sensor");
  app.footer(kExample);
  app.get_formatter()->column_width(30);
  const auto value = [&](const char* name, std::string& into, const char* type, const char* help) { app.add_option(name, into, help)->type_name(type); };
  app.add_option("-i,--interface", inspect.captures, "an interface to watch; may be repeated")->type_name("IFACE")->allow_extra_args(false);
  app.add_option("--rules", options.rules_given, "signatures in Suricata's language: a file, or a folder's *.rules")
      ->type_name("FILE|DIR")
      ->allow_extra_args(false);
  value("--log", log, "FILE|-", "EVE JSON lines; \"-\": to standard output; unix:PATH: to a socket");
  value("--export-pcap", pcap, "FILE", "every MPTCP connection as one plain TCP flow, and all other packets");
  value("--export-streams", streams, "DIR", "the rebuilt bytes: DIR/ID.toserver and DIR/ID.toclient");
  value("--export-files", files, "DIR", "files out of HTTP: DIR/SHA256");
  app.add_flag("--all-tcp", inspect.all_tcp, "inspect plain TCP, too");
  value("--checksums", checksums, "auto|verify|ignore", "which TCP checksums a segment may have (default: auto)");
  value("--config", options.config, "FILE", "configuration (default: /etc/weir/weir.yaml, if it is there); options win over it");

  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 takes them
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return std::unexpected(kDone);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(refuse("sensor", error.what(), "see weir sensor --help"));
  }
  for (const auto& [name, text, into] : {std::tuple{"--log", &log, &inspect.log},
                                         {"--export-pcap", &pcap, &inspect.export_pcap},
                                         {"--export-streams", &streams, &inspect.export_streams},
                                         {"--export-files", &files, &inspect.export_files}}) {
    if (!text->empty()) {
      *into = *text;
    } else if (app.count(name) > 0) {
      return std::unexpected(refuse(name, "needs a name that is not empty"));
    }
  }
  const auto policy = kPolicies.find(checksums);
  if (policy == kPolicies.end()) return std::unexpected(refuse("--checksums", fmt::format("'{}' is none of auto, verify, ignore", checksums)));
  inspect.checksums = policy->second;

  std::error_code error;
  if (app.count("--config") == 0 && std::filesystem::exists(kDefaultConfig, error)) options.config = kDefaultConfig;
  inspect.rules = options.rules_given;
  if (!options.config.empty()) {
    const auto config = load_config(options.config);
    if (!config) {
      say_errors(options.config, config.error());
      return std::unexpected(kBadUsage);
    }
    inspect.limits = config->limits;
    inspect.variables = config->variables;
    if (!inspect.log) inspect.log = config->eve;
    if (inspect.rules.empty()) inspect.rules = config->rules;
    if (inspect.captures.empty()) inspect.captures = config->interfaces;
  }
  if (inspect.captures.empty())
    return std::unexpected(refuse("sensor", "no interface is named", "-i IFACE, or sensor: {interfaces: [...]} in the configuration"));
  if (std::set<std::string>(inspect.captures.begin(), inspect.captures.end()).size() != inspect.captures.size())
    return std::unexpected(refuse("-i", "an interface is named twice"));
  return options;
}

}  // namespace weir::cli
