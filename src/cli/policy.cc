// `weir policy test`: what policy would do with a connection, and which rule says so.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "capture/clock.h"
#include "cli/command_line.h"
#include "cli/gateway_options.h"
#include "cli/nat_config.h"
#include "cli/policy_lists.h"
#include "cli/say.h"
#include "cli/verbs.h"
#include "decide/host_name.h"
#include "report/json.h"
#include "report/table.h"
#include "report/terminal.h"

namespace weir::cli {
namespace {

constexpr const char* kAbout =
    "Says what the gateway's policy would do with a connection, which rule says so, and what each rule before it missed.\n"
    "Reads the configuration with its categories, feeds and fixed pairs of nat; needs no gateway. NAT by other rules of the router\n"
    "is not known to it: a server behind such has the address here that it has behind the router.";

constexpr const char* kExample =
    "Exit status: 0 done; 1 the answer may differ from a gateway's, as a feed could not be taken; 2 wrong usage or configuration.\n"
    "\n"
    "Example:\n"
    "  weir policy test --client 10.0.0.5 --server 198.51.100.7 --name www.cdn.example --time \"mon 08:30\"";

/// The gateway's own words.
constexpr std::string_view kTooLate = "it is for a proxy, and was routed before it was decided";

/// The command line.
struct Asked {
  std::string client, server, time, client_is, service_is;
  std::vector<std::string> names, anomalies;
  std::string in, out;
  int port = 443, version = 1;
  std::string config;
  bool json = false;
};

/// What Facts are views of.
struct Connection {
  decide::Facts facts;
  std::vector<std::string> names;
  Endpoints asked;  ///< the addresses that were given
};

std::optional<unsigned> number_of(std::string_view text) {
  unsigned value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<decide::LocalTime> parse_time(std::string_view text) {
  constexpr std::string_view kDays = "mon tue wed thu fri sat sun ";
  decide::LocalTime out = local_time(std::time(nullptr));
  if (text.size() == 9) {
    const auto day = kDays.find(text.substr(0, 4));
    if (day == std::string_view::npos || day % 4 != 0) return std::nullopt;
    out.weekday = static_cast<std::uint8_t>(day / 4);
    text.remove_prefix(4);
  }
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto hour = number_of(text.substr(0, 2)), minute = number_of(text.substr(3));
  if (!hour || !minute || *hour > 23 || *minute > 59) return std::nullopt;
  out.minute = static_cast<std::uint16_t>(*hour * 60 + *minute);
  return out;
}

std::optional<inspect::Event> event_of(std::string_view name) {
  for (unsigned i = 0; i < static_cast<unsigned>(inspect::Event::kCount); ++i) {
    if (inspect::event_name(static_cast<inspect::Event>(i)) == name) return static_cast<inspect::Event>(i);
  }
  return std::nullopt;
}

bool read_known(const std::string& text, decide::Known& into) {
  if (text == "new") into = decide::Known::kNew;
  if (text == "known") into = decide::Known::kKnown;
  return text.empty() || into != decide::Known::kUnasked;
}

/// The exit status where something is wrong.
std::optional<int> read_addresses(const Asked& asked, Connection& into) {
  const auto client = parse_ip_address(asked.client), server = parse_ip_address(asked.server);
  if (!client) return refuse("--client", fmt::format("'{}' is no address", asked.client));
  if (!server) return refuse("--server", fmt::format("'{}' is no address", asked.server), "a name is given by --name, beside the address");
  if (client->is_v4() != server->is_v4()) return refuse("--server", "client and server are of one family, IPv4 or IPv6");
  if (asked.port < 1 || asked.port > 65'535) return refuse("--port", "is a number from 1 to 65535");
  into.facts.connection = into.asked = {*client, *server, 0, static_cast<std::uint16_t>(asked.port)};
  return std::nullopt;
}

std::optional<int> read_facts(const Asked& asked, Connection& into) {
  if (const auto wrong = read_addresses(asked, into)) return wrong;
  if (asked.version != 0 && asked.version != 1) return refuse("--version", "is 0 or 1");
  into.facts.version = static_cast<std::uint8_t>(asked.version);
  into.facts.interface_in = asked.in;
  into.facts.interface_out = asked.out;
  for (const std::string& text : asked.names) {
    auto name = decide::host_name_of(text);
    if (!name) return refuse("--name", fmt::format("'{}' is no host name", text));
    into.names.push_back(*std::move(name));
  }
  into.facts.names = into.names;
  into.facts.time = asked.time.empty() ? local_time(std::time(nullptr)) : parse_time(asked.time);
  if (!into.facts.time) return refuse("--time", fmt::format("'{}' is no time", asked.time), "as in \"mon 08:30\", or \"08:30\" of today's day");
  for (const std::string& name : asked.anomalies) {
    const auto event = event_of(name);
    if (!event) return refuse("--anomaly", fmt::format("no event is called '{}'", name), "docs/THREATS.md has their names");
    into.facts.anomalies |= decide::bit_of(*event);
  }
  if (!read_known(asked.client_is, into.facts.client)) return refuse("--client-is", "is new or known");
  if (!read_known(asked.service_is, into.facts.service)) return refuse("--service-is", "is new or known");
  return std::nullopt;
}

std::vector<std::string> limits_text(const decide::JoinLimits& limits) {
  std::vector<std::string> out;
  const auto number = [&](std::string_view name, std::uint32_t value) {
    if (value > 0) out.push_back(fmt::format("{}: {}", name, value));
  };
  number("subflows", limits.subflows);
  if (!limits.paths.empty()) out.push_back(fmt::format("paths: [{}]", fmt::join(limits.paths, ", ")));
  if (limits.opened_by != decide::MayOpen::kBoth) out.push_back(fmt::format("opened_by: {}", name_of(limits.opened_by)));
  number("joins_per_second", limits.joins_per_second);
  if (limits.backup_only) out.emplace_back("backup_only: true");
  out.push_back(fmt::format("add_addr: {}", name_of(limits.add_addr)));
  if (limits.versions != 0) out.push_back(fmt::format("versions: [{}]", limits.versions == 3 ? "0, 1" : limits.versions == 1 ? "0" : "1"));
  number("host_connections", limits.host_connections);
  number("host_subflows", limits.host_subflows);
  number("host_joins_per_second", limits.host_joins_per_second);
  return out;
}

std::string_view meaning(decide::Action action) {
  switch (action) {
    case decide::Action::kAllow:
      return "the connection passes, and is not looked into";
    case decide::Action::kInspect:
      return "the connection is rebuilt and inspected; what signatures stop ends it";
    case decide::Action::kStrip:
      return "MPTCP is taken out of the handshake: both ends speak plain TCP, on one path";
    case decide::Action::kReset:
      return "the connection is refused with a RST";
    case decide::Action::kProxy:
      return "its packets are marked for the proxy on this machine";
  }
  return {};
}

void json_limits(report::JsonWriter& json, const decide::JoinLimits& limits) {
  const auto list = [&](std::string_view name, const auto& values) {
    json.key(name).begin_array();
    for (const auto& value : values) json.value(value);
    json.end_array();
  };
  json.key("limits").begin_object();
  const auto number = [&](std::string_view name, std::uint32_t value) {
    if (value > 0) json.field(name, value);
  };
  number("subflows", limits.subflows);
  if (!limits.paths.empty()) list("paths", limits.paths);
  json.field("opened_by", name_of(limits.opened_by));
  number("joins_per_second", limits.joins_per_second);
  json.field("backup_only", limits.backup_only).field("add_addr", name_of(limits.add_addr));
  std::vector<int> versions;
  for (int i = 0; i < 2; ++i) {
    if ((limits.versions >> i & 1) != 0) versions.push_back(i);
  }
  if (!versions.empty()) list("versions", versions);
  number("host_connections", limits.host_connections);
  number("host_subflows", limits.host_subflows);
  number("host_joins_per_second", limits.host_joins_per_second);
  json.end_object();
}

/// A host of a fixed pair is known to the gateway by its inside address: it decides behind the translation of destinations, before that of sources.
IpAddress inside_of(const NatConfig& nat, const IpAddress& address) {
  const auto pair = std::ranges::find(nat.fixed, address, &NatConfig::Static::outside);
  return pair == nat.fixed.end() ? address : pair->inside;
}

/// What the gateway would say. For a proxy it decides before anything is translated, all else behind that: what is for a proxy by the translated address
/// cannot be led there any more, and is refused.
decide::Explanation explain(const decide::Policy& policy, const NatConfig& nat, bool proxies, Connection& connection) {
  if (proxies) {
    decide::Explanation early = policy.explain(connection.facts);
    if (early.decision->action == decide::Action::kProxy) return early;
  }
  Endpoints& ends = connection.facts.connection;
  ends.src = inside_of(nat, ends.src);
  ends.dst = inside_of(nat, ends.dst);
  decide::Explanation later = policy.explain(connection.facts);
  if (later.decision->action == decide::Action::kProxy) {
    auto refused = *later.decision;
    refused.action = decide::Action::kReset;
    refused.reason = kTooLate;
    later.decision = std::make_shared<const decide::Decision>(std::move(refused));
  }
  return later;
}

std::string json_text(const decide::Explanation& explanation, const Connection& connection, const std::string& file) {
  std::string out;
  report::JsonWriter json(out);
  const decide::Decision& decision = *explanation.decision;
  const auto line = [&](int number) -> report::JsonWriter& {
    json.key("line");
    return number > 0 ? json.value(number) : json.null();
  };
  json.begin_object().field("action", name_of(decision.action)).field("rule", decision.rule).field("file", file);
  line(explanation.answers.back().line);
  json.field("reason", decision.reason).field("direction", name_of(explanation.direction));
  if (const Endpoints& ends = connection.facts.connection; ends != connection.asked)
    json.key("nat").begin_object().field("client", to_string(ends.src)).field("server", to_string(ends.dst)).end_object();
  json.key("categories").begin_array();
  for (const std::string& name : explanation.categories) json.value(name);
  json.end_array().key("rules").begin_array();
  for (const auto& answer : explanation.answers) {
    json.begin_object().field("rule", answer.rule);
    line(answer.line);
    json.field("matches", !answer.missed.has_value());
    if (answer.missed) json.field("missed", name_of(*answer.missed));
    json.field("why", answer.why).end_object();
  }
  json.end_array();
  json_limits(json, decision.limits);
  json.end_object();
  return out + "\n";
}

std::string text(const decide::Explanation& explanation, const Connection& connection, const std::string& file, const report::TextStyle& style) {
  constexpr std::string_view kDays[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
  const decide::Facts& facts = connection.facts;
  std::string out =
      fmt::format("{} -> {} port {}, {}, MPTCP v{}, {} {:02}:{:02}{}{}\n", to_string(connection.asked.src), to_string(connection.asked.dst),
                  connection.asked.dst_port, name_of(explanation.direction), *facts.version, kDays[facts.time->weekday % 7], facts.time->minute / 60,
                  facts.time->minute % 60, connection.names.empty() ? "" : fmt::format(", name {}", fmt::join(connection.names, ", ")),
                  explanation.categories.empty() ? "" : fmt::format(", category {}", fmt::join(explanation.categories, ", ")));
  for (const auto& [from, to] : {std::pair{connection.asked.src, facts.connection.src}, std::pair{connection.asked.dst, facts.connection.dst}}) {
    if (from != to) out += fmt::format("nat: rules see {} as {}\n", to_string(from), to_string(to));
  }
  out += "\n";
  report::Table table({{"RULE"}, {"LINE", true}, {"MATCHES"}, {"WHY"}});
  for (const auto& answer : explanation.answers)
    table.row({answer.rule, answer.line > 0 ? std::to_string(answer.line) : "-", answer.missed ? "no" : "yes", answer.why}, answer.missed.has_value());
  const decide::Decision& decision = *explanation.decision;
  const int line = explanation.answers.back().line;
  out += table.text(style);
  out += fmt::format("\n{}: {}\n", style.bold(name_of(decision.action)), meaning(decision.action));
  if (decision.reason == kTooLate) out += fmt::format("reason: {}\n", decision.reason);
  out += fmt::format("rule: {} ({}{})\n", decision.rule, file, line > 0 ? fmt::format(":{}", line) : "");
  if (decision.action != decide::Action::kStrip && decision.action != decide::Action::kReset)
    out += fmt::format("limits: {}\n", fmt::join(limits_text(decision.limits), ", "));
  return out;
}

void declare(CommandLine& line, Asked& asked) {
  CLI::App& app = line.app();
  app.add_option("--client", asked.client, "the client's address")->type_name("ADDRESS")->required();
  app.add_option("--server", asked.server, "the server's address")->type_name("ADDRESS")->required();
  app.add_option("--port", asked.port, "the server's port (default: 443)")->type_name("N");
  app.add_option("--name", asked.names, "what the client resolved; several times: several names")->type_name("NAME")->allow_extra_args(false);
  app.add_option("--in", asked.in, "the interface where the client's SYN comes in")->type_name("IFACE");
  app.add_option("--out", asked.out, "the interface where it leaves")->type_name("IFACE");
  app.add_option("--version", asked.version, "of MPTCP, that the client offers (default: 1)")->type_name("0|1");
  app.add_option("--time", asked.time, "local time, as in \"mon 08:30\" (default: now)")->type_name("TIME");
  app.add_option("--anomaly", asked.anomalies, "an event that was raised; several times: several")->type_name("NAME")->allow_extra_args(false);
  app.add_option("--client-is", asked.client_is, "how the inventory has the client (default: there is none)")->type_name("new|known");
  app.add_option("--service-is", asked.service_is, "how the inventory has the server's address and port (default: there is none)")->type_name("new|known");
  app.add_option("--config", asked.config, "configuration (default: /etc/weir/weir.yaml)")->type_name("FILE");
  app.add_flag("--json", asked.json, "as JSON");
}

}  // namespace

int policy(std::span<const char* const> arguments) {
  const bool test = !arguments.empty() && std::string_view(arguments[0]) == "test";
  const bool help = !arguments.empty() && (std::string_view(arguments[0]) == "--help" || std::string_view(arguments[0]) == "-h");
  if (!test && !help) return refuse("policy", "expects: test --client ADDRESS --server ADDRESS", "see weir policy --help");
  Asked asked;
  CommandLine line("policy test", kAbout, kExample);
  declare(line, asked);
  if (const auto status = line.parse(test ? arguments.subspan(1) : arguments)) return *status;
  Connection connection;
  if (const auto status = read_facts(asked, connection)) return *status;

  const std::string file = asked.config.empty() ? kDefaultConfig : asked.config;
  const auto config = read_config(file);
  if (!config) return config.error();
  const auto lists = load_policy_lists(config->policy, capture::wall_ns());
  if (!lists) return say(lists.error()), kBadUsage;
  for (const auto& problem : lists->problems) say(problem);
  const decide::Policy rules(policy_source(*config).settings, lists->read.lookups);
  const decide::Explanation explanation = explain(rules, config->nat, has_proxy(config->policy), connection);
  const int shown = show(asked.json ? json_text(explanation, connection, file) : text(explanation, connection, file, report::TextStyle::of(STDOUT_FILENO)));
  return lists->feeds_refused > 0 ? kNotDone : shown;
}

}  // namespace weir::cli
