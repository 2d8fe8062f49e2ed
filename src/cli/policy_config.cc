#include "cli/policy_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include "decide/feed.h"

namespace weir::cli {
namespace {

using decide::Words;

constexpr std::size_t kMostNameBytes = 253;  // RFC 1035 §2.3.4, as text
constexpr auto kDays = std::to_array<std::string_view>({"mon", "tue", "wed", "thu", "fri", "sat", "sun"});

/// Purpose: reads one rule's match and limits. `where` leads the names of keys in messages.
class RuleReader {
 public:
  RuleReader(const inspect::rules::Variables& variables, ConfigValues& values, const PolicyConfig& lists, std::string where)
      : variables_(variables), values_(values), lists_(lists), where_(std::move(where)) {}

  void read_match(const YAML::Node& match, decide::Match& into) {
    values_.addresses(match["client"], key("client"), variables_, into.client);
    values_.addresses(match["server"], key("server"), variables_, into.server);
    values_.ports(match["port"], key("port"), variables_, into.port);
    read_words(match, "interface_in", into.interface_in, is_interface, "the name of an interface, or its beginning and '*'");
    read_words(match, "interface_out", into.interface_out, is_interface, "the name of an interface, or its beginning and '*'");
    read_words(match, "name", into.names, is_name_pattern, "a host name, or one with \"*.\" in front");
    read_words(match, "category", into.categories, [this](std::string_view text) { return knows(lists_.categories, text); }, "none of categories");
    read_words(match, "feed", into.feeds, [this](std::string_view text) { return is_feed(text); }, "none of feeds, or of their verdicts (NAME:VERDICT)");
    read_directions(match["direction"], into);
    read_times(match["time"], into);
    read_weekdays(match["weekdays"], into);
    into.versions = read_versions(match["version"], key("version"));
    read_anomalies(match["anomaly"], into);
    if (const YAML::Node inventory = match["inventory"]; inventory && inventory.IsMap()) {
      read_known(inventory["client"], key("inventory.client"), into.client_known);
      read_known(inventory["service"], key("inventory.service"), into.service_known);
    }
  }

  void read_limits(const YAML::Node& limits, decide::JoinLimits& into) {
    const auto number = [&](std::string_view name, std::string_view unit, std::uint32_t& which) {
      values_.number(limits[std::string(name)], key(name), {1, 1'000'000}, unit, which);
    };
    number("subflows", "subflows at once, the first included", into.subflows);
    number("joins_per_second", "JOINs a second", into.joins_per_second);
    number("host_connections", "connections of one client at once", into.host_connections);
    number("host_subflows", "subflows of one client at once", into.host_subflows);
    number("host_joins_per_second", "JOINs of one client a second", into.host_joins_per_second);
    if (const YAML::Node paths = limits["paths"]) {
      for (auto& [member, text] : values_.members(paths, key("paths"))) {
        if (is_interface(text)) {
          into.paths.push_back(std::move(text));
        } else {
          values_.error(member, fmt::format("a member of {} is the name of an interface, or its beginning and '*'", key("paths")));
        }
      }
    }
    if (const auto who = values_.word(limits["opened_by"], key("opened_by"), {"both", "client", "server"})) into.opened_by = static_cast<decide::MayOpen>(*who);
    values_.flag(limits["backup_only"], key("backup_only"), into.backup_only);
    if (const auto what = values_.word(limits["add_addr"], key("add_addr"), {"allow", "drop", "translate"}))
      into.add_addr = static_cast<decide::AddAddr>(*what);
    into.versions = read_versions(limits["versions"], key("versions"));
  }

 private:
  std::string key(std::string_view name) const { return fmt::format("{}.{}", where_, name); }

  static bool is_interface(std::string_view text) {
    return !text.empty() && text.size() <= 15 && text.find_first_of("/ \t") == std::string_view::npos &&
           text.substr(0, text.size() - 1).find('*') == std::string_view::npos;
  }
  static bool is_name_pattern(std::string_view text) {
    if (text.starts_with("*.")) text.remove_prefix(2);
    return !text.empty() && text.size() <= kMostNameBytes && text.front() != '.' && text.back() != '.' && text.find("..") == std::string_view::npos &&
           std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'; });
  }
  static bool knows(const std::vector<NamedPath>& list, std::string_view name) { return std::ranges::find(list, name, &NamedPath::name) != list.end(); }
  bool is_feed(std::string_view text) const {
    const auto colon = text.find(':');
    return knows(lists_.feeds, text.substr(0, colon)) && (colon == std::string_view::npos || decide::feed_verdict_of(text.substr(colon + 1)));
  }

  template <typename Check>
  void read_words(const YAML::Node& match, const char* name, Words& into, Check check, std::string_view what) {
    const YAML::Node node = match[name];
    if (!node.IsDefined()) return;
    for (auto& [member, text] : values_.members(node, key(name))) {
      for (char& c : text) {
        if (c >= 'A' && c <= 'Z' && std::string_view(name) == "name") c = static_cast<char>(c + ('a' - 'A'));
      }
      const bool exception = text.starts_with('!');
      std::string word = exception ? text.substr(1) : std::move(text);
      if (check(std::string_view(word))) {
        (exception ? into.out : into.in).push_back(std::move(word));
      } else {
        const bool none = what.starts_with("none");
        values_.error(member, none ? fmt::format("{}: '{}' is {}", key(name), word, what) : fmt::format("{}: '{}' is not {}", key(name), word, what));
      }
    }
  }

  void read_directions(const YAML::Node& node, decide::Match& into) {
    for (const auto& [member, text] : values_.members(node, key("direction"))) {
      if (const auto which = values_.word(member, key("direction"), {"outbound", "inbound", "internal", "external"}))
        into.directions = static_cast<std::uint8_t>(into.directions | 1U << *which);
    }
  }

  std::uint8_t read_versions(const YAML::Node& node, const std::string& name) {
    std::uint8_t versions = 0;
    for (const auto& [member, text] : values_.members(node, name)) {
      if (const auto which = values_.word(member, name, {"0", "1"})) versions = static_cast<std::uint8_t>(versions | 1U << *which);
    }
    return versions;
  }

  void read_anomalies(const YAML::Node& node, decide::Match& into) {
    for (const auto& [member, text] : values_.members(node, key("anomaly"))) {
      if (text == "any") {
        into.anomalies = ~decide::EventSet{0};
        continue;
      }
      bool found = false;
      for (unsigned i = 0; i < static_cast<unsigned>(inspect::Event::kCount); ++i) {
        const auto event = static_cast<inspect::Event>(i);
        if (inspect::event_name(event) != text) continue;
        into.anomalies |= decide::bit_of(event);
        found = true;
      }
      if (!found) values_.error(member, fmt::format("{}: no event is called '{}'", key("anomaly"), text), "\"any\", or a name of docs/THREATS.md");
    }
  }

  void read_known(const YAML::Node& node, const std::string& name, decide::Known& into) {
    if (const auto which = values_.word(node, name, {"new", "known"})) into = *which == 0 ? decide::Known::kNew : decide::Known::kKnown;
  }

  /// "08:30", up to "24:00".
  static std::optional<std::uint16_t> minute_of(std::string_view text) {
    if (text.size() != 5 || text[2] != ':') return std::nullopt;
    for (const std::size_t i : {0U, 1U, 3U, 4U}) {
      if (text[i] < '0' || text[i] > '9') return std::nullopt;
    }
    const int hour = (text[0] - '0') * 10 + (text[1] - '0'), minute = (text[3] - '0') * 10 + (text[4] - '0');
    if (minute > 59 || hour * 60 + minute > 1'440) return std::nullopt;
    return static_cast<std::uint16_t>(hour * 60 + minute);
  }

  void read_times(const YAML::Node& node, decide::Match& into) {
    for (const auto& [member, text] : values_.members(node, key("time"))) {
      const std::string_view whole = text;
      const auto first = minute_of(whole.substr(0, whole.find('-')));
      const auto last = whole.find('-') == std::string_view::npos ? std::nullopt : minute_of(whole.substr(whole.find('-') + 1));
      if (!first || !last || *first == *last || *first == 1'440) {
        values_.error(member, fmt::format("{} is a span of the day", key("time")), "as in \"08:00-17:30\", or over midnight \"22:00-06:00\"");
      } else {
        into.times.push_back({*first, *last});
      }
    }
  }

  void read_weekdays(const YAML::Node& node, decide::Match& into) {
    const auto day = [](std::string_view text) -> std::optional<std::size_t> {
      const auto* const found = std::ranges::find(kDays, text);
      if (found == kDays.end()) return std::nullopt;
      return static_cast<std::size_t>(found - kDays.begin());
    };
    for (const auto& [member, text] : values_.members(node, key("weekdays"))) {
      const auto dash = text.find('-');
      const auto first = day(std::string_view(text).substr(0, dash));
      const auto last = dash == std::string::npos ? first : day(std::string_view(text).substr(dash + 1));
      if (!first || !last) {
        values_.error(member, fmt::format("{} are days, or spans of days", key("weekdays")), "as in [mon-fri], [sat, sun]");
        continue;
      }
      for (std::size_t d = *first;; d = (d + 1) % kDays.size()) {
        into.weekdays = static_cast<std::uint8_t>(into.weekdays | 1U << d);
        if (d == *last) break;
      }
    }
  }

  const inspect::rules::Variables& variables_;
  ConfigValues& values_;
  const PolicyConfig& lists_;
  std::string where_;
};

void read_paths(const YAML::Node& node, std::string_view name, std::string_view what, ConfigValues& values, std::vector<NamedPath>& into) {
  if (!node.IsDefined() || !node.IsMap()) return;
  for (const auto& pair : node) {
    if (!pair.first.IsScalar()) continue;  // told by the walk over all keys
    const std::string own = pair.first.Scalar();
    NamedPath entry{own, {}, line_of(pair.first)};
    if (own.find_first_of(":! \t,") != std::string::npos) values.error(pair.first, fmt::format("a name of {} has no ':', '!', ',' or space", name));
    if (!pair.second.IsScalar() || pair.second.Scalar().empty()) {
      values.error(pair.first, fmt::format("{}.{} is {}", name, own, what));
      continue;
    }
    entry.path = pair.second.Scalar();
    into.push_back(std::move(entry));
  }
}

void read_action(const YAML::Node& node, const YAML::Node& rule, std::string_view name, ConfigValues& values, decide::Action& into) {
  if (!node.IsDefined()) return values.error(rule, fmt::format("{} is missing", name), "one of allow, inspect, strip, reset, proxy");
  if (const auto action = values.word(node, name, {"allow", "inspect", "strip", "reset", "proxy"})) into = static_cast<decide::Action>(*action);
}

void read_rule(const YAML::Node& node, const inspect::rules::Variables& variables, ConfigValues& values, PolicyConfig& into, std::set<std::string>& names) {
  if (!node.IsMap()) return values.error(node, "a rule of policy is a map of name, match, action and limits");
  decide::Rule rule;
  rule.line = line_of(node);
  rule.name = fmt::format("rule {}", into.rules.size() + 1);
  values.text(node["name"], "a rule's name", "a text", rule.name);
  if (!names.insert(rule.name).second)
    values.error(node["name"] ? node["name"] : node, fmt::format("two rules are called '{}'", rule.name), "records name the rule that decided");
  if (rule.name == "default") values.error(node["name"], "a rule is not called 'default'", "that is what decides where no rule matches");
  if (const YAML::Node match = node["match"]; match && match.IsMap()) RuleReader(variables, values, into, "match").read_match(match, rule.match);
  read_action(node["action"], node, "action", values, rule.action);
  if (const YAML::Node limits = node["limits"]; limits && limits.IsMap()) RuleReader(variables, values, into, "limits").read_limits(limits, rule.limits);
  into.rules.push_back(std::move(rule));
}

/// What is for a proxy is decided before it is routed: where it would go out is not known, and no rule on the way there may ask for it.
void check_proxy(const YAML::Node& rules, decide::Action otherwise, ConfigValues& values) {
  bool proxy = otherwise == decide::Action::kProxy;
  for (std::size_t i = rules.size(); i-- > 0;) {
    const YAML::Node rule = rules[i];
    if (!rule.IsMap()) continue;
    const YAML::Node action = rule["action"], match = rule["match"];
    if (action && action.IsScalar() && action.Scalar() == "proxy") proxy = true;
    if (proxy && match && match.IsMap() && match["interface_out"])
      values.error(match["interface_out"], "interface_out cannot be asked for in a rule with the action proxy, nor before one",
                   "it is decided before it is routed");
  }
}

}  // namespace

void read_policy(const YAML::Node& root, const inspect::rules::Variables& variables, ConfigValues& values, PolicyConfig& into) {
  read_paths(root["categories"], "categories", "a file of names, or a folder with a file 'domains'", values, into.categories);
  read_paths(root["feeds"], "feeds", "a file of weir probe", values, into.feeds);
  const YAML::Node policy = root["policy"];
  if (!policy.IsDefined() || !policy.IsMap()) return;
  if (const YAML::Node otherwise = policy["default"]; otherwise && otherwise.IsMap()) {
    into.otherwise.line = line_of(otherwise);
    if (otherwise["action"]) read_action(otherwise["action"], otherwise, "policy.default.action", values, into.otherwise.action);
    if (const YAML::Node limits = otherwise["limits"]; limits && limits.IsMap())
      RuleReader(variables, values, into, "policy.default.limits").read_limits(limits, into.otherwise.limits);
  }
  const YAML::Node rules = policy["rules"];
  if (!rules.IsDefined() || !rules.IsSequence()) return;
  std::set<std::string> names;
  for (const auto& rule : rules) read_rule(rule, variables, values, into, names);
  check_proxy(rules, into.otherwise.action, values);
}

}  // namespace weir::cli
