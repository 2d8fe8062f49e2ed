#include "cli/config_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <set>
#include <string_view>

#include "cli/say.h"
#include "inspect/rules/groups.h"
#include "report/problem.h"
#include "web/status_server.h"

namespace weir::cli {
namespace {

/// Every key that a configuration may have: "[]" is each entry of a list, "*" a key of the user's own, and what ends in "**"
/// holds anything. Those of limits come from their table.
constexpr auto kKeys = std::to_array<std::string_view>({
    "log.eve",
    "log.eve.[]",
    "log.rotate_bytes",
    "log.rotate_keep",
    "rules.[]",
    "vars.*",
    "vars.*.[]",
    "sensor.interfaces.[]",
    "sensor.user",
    "sensor.workers",
    "sensor.ring_bytes",
    "sensor.timestamps",
    "web.listen",
    "sensor.inventory",
    "sensor.local.[]",
    "sensor.normalise.interface",
    "sensor.normalise.create",
    "sensor.normalise.mtu",
    "sensor.normalise.other",
    "gateway.interfaces.[]",
    "gateway.inside.[]",
    "gateway.fail",
    "policy.default.action",
    "policy.rules.[].name",
    "policy.rules.[].match.**",
    "policy.rules.[].action",
    "policy.rules.[].limits.subflows",
    "policy.rules.[].limits.paths.[]",
    "policy.rules.[].limits.opened_by",
    "policy.rules.[].limits.joins_per_second",
    "policy.rules.[].limits.add_addr",
    "categories.*",
    "feeds.*",
    "nat.[].inside",
    "nat.[].outside",
    "nat.[].pool.outside.[]",
    "nat.[].pool.ports",
});

/// A file beyond this is no configuration.
constexpr std::uintmax_t kMaxBytes = 16 << 20;

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const auto dot = path.find('.');
    parts.push_back(path.substr(0, dot));
    path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
  }
  return parts;
}

using Path = std::vector<std::string>;

/// Whether `path` leads to, or towards, a key of the pattern.
bool leads_along(const std::vector<std::string_view>& pattern, const Path& path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (i >= pattern.size()) return false;
    if (pattern[i] == "**") return true;
    if (pattern[i] == "*" ? path[i] == "[]" : pattern[i] != path[i]) return false;
  }
  return true;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t corner = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({corner + (a[i] == b[j] ? 0U : 1U), above + 1, row[j] + 1});
      corner = above;
    }
  }
  return row.back();
}

int line_of(const YAML::Node& node) { return node.Mark().line + 1; }

/// Purpose: walks a document once and gathers everything that is wrong with it.
class Reader {
 public:
  explicit Reader(Config& config) : config_(config) {
    for (const std::string_view key : kKeys) patterns_.push_back(split(key));
    for (const LimitInfo& limit : kLimitTable) patterns_.push_back({"limits", limit.name});
  }

  void read(const YAML::Node& root) {
    if (root.IsNull()) return;  // an empty file: defaults
    if (!root.IsMap()) return error(root, "a configuration is a map of keys", "as in: log: {eve: /var/log/weir/eve.json}");
    walk(root);
    if (const YAML::Node rules = root["rules"]) read_rules(rules);
    if (const YAML::Node vars = root["vars"]; vars && vars.IsMap()) read_vars(vars);
    if (const YAML::Node log = root["log"]; log && log.IsMap()) read_log(log);
    if (const YAML::Node sensor = root["sensor"]; sensor && sensor.IsMap()) read_sensor(sensor);
    if (const YAML::Node web = root["web"]; web && web.IsMap()) read_listen(web["listen"]);
    if (const YAML::Node limits = root["limits"]; limits && limits.IsMap()) read_limits(limits);
  }

  std::vector<ConfigError> take_errors() {
    std::ranges::stable_sort(errors_, {}, &ConfigError::line);
    return std::move(errors_);
  }

 private:
  static constexpr std::size_t kDeepest = 32;  // of lists and maps in one another; an alias can make any depth

  void error(const YAML::Node& node, std::string why, std::string hint = {}) { errors_.push_back({line_of(node), std::move(why), std::move(hint)}); }

  bool known() const {
    return std::ranges::any_of(patterns_, [&](const auto& pattern) { return leads_along(pattern, path_); });
  }
  bool free() const {
    return std::ranges::any_of(patterns_, [&](const auto& pattern) {
      return !path_.empty() && pattern.back() == "**" && path_.size() + 1 >= pattern.size() && leads_along(pattern, path_);
    });
  }
  /// A key may take a list only where the table has one.
  bool may_be_list() {
    path_.emplace_back("[]");
    const bool may = known();
    path_.pop_back();
    return may;
  }

  void walk(const YAML::Node& node) {
    if (path_.size() > kDeepest) return error(node, "lists and maps are nested too deeply");
    if (!path_.empty() && free()) return;
    if (node.IsSequence()) {
      if (!may_be_list()) return error(node, fmt::format("'{}' takes no list", path_.back()));
      path_.emplace_back("[]");
      for (const auto& entry : node) walk(entry);
      path_.pop_back();
    } else if (node.IsMap()) {
      walk_map(node);
    }
  }

  void walk_map(const YAML::Node& node) {
    std::set<std::string> seen;
    for (const auto& pair : node) {
      if (!pair.first.IsScalar()) {
        error(pair.first, "a key must be a word");
        continue;
      }
      const std::string key = pair.first.Scalar();
      if (!seen.insert(key).second) {
        error(pair.first, fmt::format("'{}' is given twice", key));
        continue;
      }
      path_.push_back(key);
      if (known() && key != "[]") {
        walk(pair.second);
      } else {
        const std::string near = nearest(key);
        error(pair.first, fmt::format("unknown key '{}'", fmt::join(path_, ".")), near.empty() ? "" : fmt::format("did you mean '{}'?", near));
      }
      path_.pop_back();
    }
  }

  /// The key beside the unknown one that it may have been meant for.
  std::string nearest(const std::string& key) const {
    Path around(path_.begin(), path_.end() - 1);
    std::string best;
    std::size_t least = 3;  // more changes than two are another word
    for (const auto& pattern : patterns_) {
      if (pattern.size() < path_.size() || !leads_along(pattern, around)) continue;
      const std::string_view candidate = pattern[around.size()];
      if (const std::size_t distance = edit_distance(key, candidate); distance < least) least = distance, best = candidate;
    }
    return best;
  }

  void read_log(const YAML::Node& log) {
    read_number(log["rotate_bytes"], "log.rotate_bytes", {0, std::int64_t{1} << 50}, "bytes", config_.rotation.bytes);
    read_number(log["rotate_keep"], "log.rotate_keep", {1, 1'000}, "files", config_.rotation.keep);
    const YAML::Node eve = log["eve"];
    if (!eve) return;
    if (eve.IsSequence() && eve.size() > 0) {
      for (const auto& place : eve) read_place(place);
    } else {
      read_place(eve);
    }
  }

  void read_place(const YAML::Node& place) {
    if (!place.IsScalar() || place.Scalar().empty()) return error(place, "log.eve is a path, \"-\" or unix:PATH, or a list of these");
    if (std::ranges::find(config_.eve, place.Scalar()) != config_.eve.end()) return error(place, fmt::format("'{}' is named twice", place.Scalar()));
    config_.eve.push_back(place.Scalar());
  }

  void read_number(const YAML::Node& node, std::string_view name, std::pair<std::int64_t, std::int64_t> range, std::string_view unit, std::int64_t& into,
                   std::string hint = {}) {
    if (!node.IsDefined()) return;
    const std::string& text = node.IsScalar() ? node.Scalar() : "";
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || end != text.data() + text.size() || code != std::errc() || value < range.first || value > range.second)
      return error(node, fmt::format("{} is a whole number from {} to {} ({})", name, range.first, range.second, unit), std::move(hint));
    into = value;
  }

  void read_sensor(const YAML::Node& sensor) {
    read_interfaces(sensor["interfaces"]);
    read_user(sensor["user"]);
    if (const YAML::Node normalise = sensor["normalise"]; normalise && normalise.IsMap()) read_normalise(normalise);
    read_local(sensor["local"]);
    read_inventory(sensor["inventory"]);
    read_number(sensor["workers"], "sensor.workers", {0, 32}, "threads; 0 is one a CPU, up to 16", config_.sensor.workers);
    read_number(sensor["ring_bytes"], "sensor.ring_bytes", {4 << 20, 16LL << 30}, "bytes of memory for each interface", config_.sensor.ring_bytes);
    const YAML::Node times = sensor["timestamps"];
    if (!times.IsDefined()) return;
    const std::string& which = times.IsScalar() ? times.Scalar() : "";
    if (which != "auto" && which != "kernel") return error(times, "sensor.timestamps is auto or kernel", "auto: the interface's own, where it has them");
    config_.sensor.hardware_times = which == "auto";
  }

  void read_interfaces(const YAML::Node& interfaces) {
    if (!interfaces.IsDefined()) return;
    if (!interfaces.IsSequence()) return error(interfaces, "sensor.interfaces is a list of names", "as in: sensor: {interfaces: [eth0, eth1]}");
    for (const auto& name : interfaces) {
      if (name.IsScalar() && !name.Scalar().empty() && name.Scalar().size() < 16) {
        config_.sensor.interfaces.push_back(name.Scalar());
      } else {
        error(name, "an interface's name has 1 to 15 octets");
      }
    }
  }

  void read_user(const YAML::Node& user) {
    if (!user.IsDefined() || user.IsNull()) return;
    if (!user.IsScalar() || user.Scalar().empty() || user.Scalar().size() > 32) return error(user, "sensor.user is the name of a user");
    config_.service.user = user.Scalar();
  }

  void read_listen(const YAML::Node& listen) {
    if (!listen.IsDefined()) return;
    const std::string text = listen.IsScalar() ? listen.Scalar() : "";
    if (text != "off" && !web::is_listen_address(text))
      return error(listen, "web.listen is an address and a port, or off", "as in: web: {listen: 127.0.0.1:8384}");
    config_.service.listen = text;
  }

  /// After vars: the list may name them.
  void read_local(const YAML::Node& local) {
    if (!local.IsDefined()) return;
    if (!local.IsSequence() || local.size() == 0)
      return error(local, "sensor.local is a list of prefixes", "as in: sensor: {local: [10.0.0.0/8, \"fd00::/8\"]}");
    std::string text;
    for (const auto& prefix : local) {
      if (!prefix.IsScalar() || prefix.Scalar().empty()) {
        error(prefix, "a member of sensor.local is a prefix, an address, a range or a variable");
        return;
      }
      text += (text.empty() ? "[" : ",") + prefix.Scalar();
    }
    text += "]";
    if (const auto addresses = inspect::rules::parse_addresses(text, config_.variables); !addresses) {
      return error(local, fmt::format("sensor.local: {}", addresses.error().why));
    }
    config_.local = text;
  }

  void read_inventory(const YAML::Node& inventory) {
    if (!inventory.IsDefined()) return;
    if (!inventory.IsScalar() || inventory.Scalar().empty()) return error(inventory, "sensor.inventory is a path");
    config_.inventory = inventory.Scalar();
  }

  void read_normalise(const YAML::Node& normalise) {
    NormaliseOptions& into = config_.normalise;
    const auto text = [](const YAML::Node& node) { return node.IsScalar() ? node.Scalar() : std::string(); };
    if (const YAML::Node name = normalise["interface"]) {
      into.interface = text(name);
      if (!name.IsNull() && (!name.IsScalar() || into.interface.size() >= 16)) error(name, "an interface's name has 1 to 15 octets");
    }
    if (const YAML::Node create = normalise["create"]) {
      into.create = create_link_of(text(create));
      if (!into.create) error(create, fmt::format("sensor.normalise.create is one of {}", kCreateWords));
    }
    if (const YAML::Node other = normalise["other"]) {
      into.others = other_packets_of(text(other));
      if (!into.others) error(other, fmt::format("sensor.normalise.other is one of {}", kOtherWords));
    }
    if (const YAML::Node mtu = normalise["mtu"]) {
      into.mtu_bytes = mtu.as<std::uint32_t>(0);
      if (*into.mtu_bytes < capture::OutputInterface::kLeastMtu || *into.mtu_bytes > NormaliseOptions::kMostMtu)
        error(mtu,
              fmt::format("sensor.normalise.mtu is a whole number from {} to {} (bytes)", capture::OutputInterface::kLeastMtu, NormaliseOptions::kMostMtu));
    }
  }

  void read_rules(const YAML::Node& rules) {
    if (!rules.IsSequence()) return error(rules, "rules is a list of files and folders", "as in: rules: [/etc/weir/rules/*.rules]");
    for (const auto& path : rules) {
      if (path.IsScalar() && !path.Scalar().empty()) {
        config_.rules.push_back(path.Scalar());
      } else {
        error(path, "a path is text");
      }
    }
  }

  void read_vars(const YAML::Node& vars) {
    for (const auto& pair : vars) {
      const YAML::Node& value = pair.second;
      std::string text;
      if (value.IsScalar()) {
        text = value.Scalar();
      } else if (value.IsSequence()) {
        for (const auto& member : value) {
          if (!member.IsScalar() || member.Scalar().empty()) {
            error(member, "a member of a variable is an address, a port, a range or another variable");
            continue;
          }
          text += (text.empty() ? "[" : ",") + member.Scalar();
        }
        if (!text.empty()) text += "]";
      }
      if (text.empty()) {
        error(value.IsDefined() && !value.IsNull() ? value : pair.first, fmt::format("vars.{} is empty", pair.first.Scalar()));
        continue;
      }
      config_.variables[pair.first.Scalar()] = text;
    }
    for (const auto& pair : vars) {
      const std::string use = "$" + pair.first.Scalar();
      const auto addresses = inspect::rules::parse_addresses(use, config_.variables);
      if (addresses || inspect::rules::parse_ports(use, config_.variables)) continue;
      error(pair.second, fmt::format("vars.{}: neither addresses ({}) nor ports", pair.first.Scalar(), addresses.error().why));
    }
  }

  void read_limits(const YAML::Node& limits) {
    for (const LimitInfo& limit : kLimitTable) {
      read_number(limits[std::string(limit.name)], fmt::format("limits.{}", limit.name), {limit.lowest, limit.highest}, limit.unit, config_.limits.*limit.field,
                  fmt::format("{}; the default is {}", limit.help, limit.standard));
    }
  }

  Config& config_;
  std::vector<std::vector<std::string_view>> patterns_;
  Path path_;
  std::vector<ConfigError> errors_;
};

std::unexpected<std::vector<ConfigError>> only(int line, std::string why, std::string hint = {}) {
  return std::unexpected(std::vector<ConfigError>{{line, std::move(why), std::move(hint)}});
}

}  // namespace

std::expected<Config, std::vector<ConfigError>> load_config(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::error_code code;
  if (!file) return only(0, report::system_problem(path, errno ? errno : EIO).why);
  if (std::filesystem::is_directory(path, code)) return only(0, "is a directory");
  std::string text;
  for (std::array<char, 65'536> piece; file.read(piece.data(), piece.size()), file.gcount() > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
    if (text.size() > kMaxBytes) return only(0, "is too large for a configuration");
  }

  Config config;
  config.variables = inspect::rules::default_variables();
  Reader reader(config);
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1) return only(line_of(documents[1]), "a second YAML document", "a configuration is one document");
    if (!documents.empty()) reader.read(documents.front());
  } catch (const YAML::Exception& error) {
    return only(error.mark.line + 1, "not YAML: " + error.msg);
  }
  if (auto errors = reader.take_errors(); !errors.empty()) return std::unexpected(std::move(errors));
  return config;
}

void say_errors(const std::string& path, const std::vector<ConfigError>& errors) {
  for (const ConfigError& error : errors) say(error.line > 0 ? fmt::format("{}:{}", path, error.line) : path, error.why, error.hint);
}

}  // namespace weir::cli
