#include "cli/gateway_options.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "cli/command_line.h"
#include "cli/nat_settings.h"
#include "cli/say.h"

namespace weir::cli {
namespace {

constexpr const char* kAbout =
    "Stands on a router or firewall in the way of MPTCP: policy for every connection, inspection across subflows, prevention.\n"
    "Prints \"weir: ready\" when traffic is being controlled. Its own rules lead packets to it, and are removed at the end.";

constexpr const char* kExample =
    "Signals: TERM and INT end it with the last records written, HUP reads configuration, policy and rules again, USR1 opens the log again.\n"
    "Exit status: 0 ended by a signal; 1 the kernel or an output failed; 2 wrong usage or configuration. gateway.fail says what becomes of MPTCP then.\n"
    "\n"
    "Example:\n"
    "  weir gateway --config /etc/weir/weir.yaml --rules /etc/weir/rules --dry-run";

}  // namespace

bool asks_for_names(const PolicyConfig& policy) {
  return std::ranges::any_of(policy.rules,
                             [](const decide::Rule& rule) { return !rule.match.names.any() || !rule.match.categories.any() || !rule.match.feeds.any(); });
}

bool has_proxy(const PolicyConfig& policy) {
  return policy.otherwise.action == decide::Action::kProxy ||
         std::ranges::find(policy.rules, decide::Action::kProxy, &decide::Rule::action) != policy.rules.end();
}

gateway::KernelRuleSettings GatewayOptions::kernel_rules() const {
  gateway::KernelRuleSettings settings;
  settings.interfaces = gateway.interfaces;
  settings.queue = static_cast<std::uint16_t>(gateway.first_queue);
  settings.shards = static_cast<unsigned>(gateway.queues);
  settings.fail_open = gateway.fail.dead == FailMode::kOpen;
  settings.watch_dns = names;
  settings.proxy = proxies;
  settings.proxy_port = static_cast<std::uint16_t>(gateway.proxy_port);
  settings.proxy_table = static_cast<std::uint32_t>(gateway.proxy_table);
  return settings;
}

std::expected<GatewayOptions, int> parse_gateway(std::span<const char* const> arguments) {
  GatewayOptions options;
  InspectOptions& inspect = options.inspect;
  inspect.quiet = true;
  CommandLine line("gateway", kAbout, kExample);
  line.inspection(inspect);
  for (const char* const name : {"--export-pcap", "--all-tcp", "--checksums"}) line.app().get_option(name)->group("");  // not offered
  line.app().add_option("--config", options.config, "configuration (default: /etc/weir/weir.yaml, if it is there); options win over it")->type_name("FILE");
  line.app().add_flag("--dry-run", options.dry_run, "print the kernel's rules, and end");
  if (const auto status = line.parse(arguments)) return std::unexpected(*status);
  for (const char* const name : {"--export-pcap", "--all-tcp"}) {
    if (line.app().count(name) > 0) return std::unexpected(refuse(name, "is not for the gateway: plain TCP never comes to it"));
  }
  if (line.app().count("--checksums") > 0)
    return std::unexpected(refuse("--checksums", "is not for the gateway: what its receiver would not take does not pass"));
  options.rules_given = inspect.rules;
  report::LogSettings log;
  if (inspect.log) log.places = {*inspect.log};
  std::error_code error;
  Config config;
  config.variables = inspect.variables;
  if (line.app().count("--config") == 0 && std::filesystem::exists(kDefaultConfig, error)) options.config = kDefaultConfig;
  if (!options.config.empty()) {
    ReadConfig read = read_config_file(options.config);
    say_errors(options.config, read.errors);
    options.broken = !read.errors.empty();
    if (options.broken && options.dry_run) return std::unexpected(kBadUsage);
    options.knows_hold = read.knows_hold;
    if (options.broken && !options.knows_hold) return options;
    config = std::move(read.config);
    apply(config, inspect);
    if (log.places.empty()) log.places = config.eve;
    log.rotation = config.rotation;
    options.service = config.service;
    inspect.inventory = config.inventory;
  }
  inspect.log.reset();
  inspect.checksums = engine::ChecksumPolicy::kVerify;
  log.queue_bytes = static_cast<std::size_t>(inspect.limits.log_queue_bytes);
  options.log = log;
  if (!log.places.empty()) inspect.service_log = std::move(log);
  options.gateway = config.gateway;
  options.nat = nat_settings(config.nat, config.gateway);
  options.names = asks_for_names(config.policy);
  options.proxies = has_proxy(config.policy);
  if (options.broken) return options;
  options.source = policy_source(config);
  options.policy = load_policy(options.source);
  if (!options.policy && options.dry_run) return std::unexpected(kBadUsage);  // else it is for the fail mode to say what becomes of traffic
  options.loaded = std::move(config);
  options.service.configures_links = true;  // CAP_NET_ADMIN: queues, marks
  return options;
}

}  // namespace weir::cli
