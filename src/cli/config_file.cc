#include "cli/config_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <string_view>

#include "cli/config_keys.h"
#include "cli/say.h"
#include "cli/text_file.h"
#include "inspect/rules/groups.h"
#include "web/status_server.h"

namespace weir::cli {
namespace {

/// A file beyond this is no configuration.
constexpr std::size_t kMaxBytes = 16 << 20;

/// Purpose: reads a document into a Config.
class Reader {
 public:
  Reader(Config& config, ConfigValues& values) : config_(config), values_(values) {}

  void read(const YAML::Node& root) {
    if (root.IsNull()) return;  // an empty file: defaults
    if (!root.IsMap()) return error(root, "a configuration is a map of keys", "as in: log: {eve: /var/log/weir/eve.json}");
    knows_hold_ = !check_keys(root, values_).contains("gateway");
    if (const YAML::Node rules = root["rules"]) read_rules(rules);
    if (const YAML::Node vars = root["vars"]; vars && vars.IsMap()) read_vars(vars);
    if (const YAML::Node log = root["log"]; log && log.IsMap()) read_log(log);
    if (const YAML::Node sensor = root["sensor"]; sensor && sensor.IsMap()) read_sensor(sensor);
    if (const YAML::Node web = root["web"]; web && web.IsMap()) read_listen(web["listen"]);
    if (const YAML::Node limits = root["limits"]; limits && limits.IsMap()) read_limits(limits);
    if (const YAML::Node gateway = root["gateway"]; gateway && gateway.IsMap()) {
      if (!read_gateway(gateway, config_.variables, values_, config_.gateway)) knows_hold_ = false;
      check_control(gateway["control"]);
    }
    read_policy(root, config_.variables, values_, config_.policy);
    if (const YAML::Node nat = root["nat"]; nat && nat.IsSequence()) read_nat(nat, values_, config_.nat);
  }

  /// See ReadConfig.
  bool knows_hold() const { return knows_hold_; }

 private:
  void error(const YAML::Node& node, std::string why, std::string hint = {}) { values_.error(node, std::move(why), std::move(hint)); }

  void read_log(const YAML::Node& log) {
    values_.number(log["rotate_bytes"], "log.rotate_bytes", {0, std::int64_t{1} << 50}, "bytes", config_.rotation.bytes);
    values_.number(log["rotate_keep"], "log.rotate_keep", {1, 1'000}, "files", config_.rotation.keep);
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
    if (place.Scalar() == "unix:") return error(place, "unix: is followed by the path of a socket", "as in: log: {eve: unix:/run/weir/eve.sock}");
    if (std::ranges::find(config_.eve, place.Scalar()) != config_.eve.end()) return error(place, fmt::format("'{}' is named twice", place.Scalar()));
    config_.eve.push_back(place.Scalar());
  }

  void read_sensor(const YAML::Node& sensor) {
    values_.interfaces(sensor["interfaces"], "sensor.interfaces", "as in: sensor: {interfaces: [eth0, eth1]}", config_.sensor.interfaces);
    read_user(sensor["user"]);
    if (const YAML::Node normalise = sensor["normalise"]; normalise && normalise.IsMap()) {
      read_normalise(normalise);
      read_normalise_beside(normalise);
    }
    read_local(sensor["local"]);
    read_inventory(sensor["inventory"]);
    values_.number(sensor["workers"], "sensor.workers", {0, 32}, "threads; 0 is one a CPU, up to 16", config_.sensor.workers);
    values_.number(sensor["ring_bytes"], "sensor.ring_bytes", {4 << 20, 16LL << 30}, "bytes of memory for each interface", config_.sensor.ring_bytes);
    const YAML::Node times = sensor["timestamps"];
    if (!times.IsDefined()) return;
    const std::string& which = times.IsScalar() ? times.Scalar() : "";
    if (which != "auto" && which != "kernel") return error(times, "sensor.timestamps is auto or kernel", "auto: the interface's own, where it has them");
    config_.sensor.hardware_times = which == "auto";
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

  /// Whoever can listen on the way would have the token.
  void check_control(const YAML::Node& control) {
    const std::string& listen = config_.service.listen;
    if (config_.gateway.token_file.empty() || config_.gateway.control_remote || listen == "off" || web::is_loopback(listen)) return;
    error(control["token_file"], fmt::format("gateway.control.token_file: the token would cross the network in the clear to web.listen, {}", listen),
          "web: {listen: 127.0.0.1:8384}, or gateway: {control: {remote: true}} if that network is trusted");
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

  /// What fits the other keys.
  void read_normalise_beside(const YAML::Node& normalise) {
    const NormaliseOptions& into = config_.normalise;
    if (const auto& watched = config_.sensor.interfaces; std::ranges::find(watched, into.interface) != watched.end())
      error(normalise["interface"], fmt::format("'{}' is one of sensor.interfaces: it would see its own output", into.interface));
    if (into.interface.empty() && into.create.value_or(capture::CreateLink::kNone) != capture::CreateLink::kNone)
      error(normalise["create"], "there is no sensor.normalise.interface that could be made");
  }

  void read_rules(const YAML::Node& rules) {
    if (!rules.IsSequence()) return error(rules, "rules is a list of files and folders", "as in: rules: [/etc/weir/rules/*.rules]");
    for (const auto& path : rules) {
      if (path.IsScalar() && !path.Scalar().empty()) {
        config_.rules.push_back(path.Scalar());
        config_.rule_lines.push_back(line_of(path));
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
      values_.number(limits[std::string(limit.name)], fmt::format("limits.{}", limit.name), {limit.lowest, limit.highest}, limit.unit,
                     config_.limits.*limit.field, fmt::format("{}; the default is {}", limit.help, limit.standard));
    }
  }

  Config& config_;
  ConfigValues& values_;
  bool knows_hold_ = false;
};

/// Nothing else is known of it.
ReadConfig only(int line, std::string why, std::string hint = {}) {
  return {.config = {}, .errors = {{line, std::move(why), std::move(hint)}}, .knows_hold = false};
}

}  // namespace

ReadConfig read_config_file(const std::string& path) {
  const auto text = read_text_file(path, kMaxBytes, "a configuration");
  if (!text) return only(0, text.error().why);

  ReadConfig out;
  Config& config = out.config;
  config.variables = inspect::rules::default_variables();
  ConfigValues values;
  Reader reader(config, values);
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(*text);
    if (documents.size() > 1) return only(line_of(documents[1]), "a second YAML document", "a configuration is one document");
    if (!documents.empty()) reader.read(documents.front());
    if (values.empty() && !documents.empty()) config.lines = lines_of_keys(documents.front());
  } catch (const YAML::Exception& error) {
    return only(error.mark.line + 1, "not YAML: " + error.msg);
  }
  out.errors = values.take_errors();
  out.knows_hold = reader.knows_hold();
  return out;
}

std::expected<Config, std::vector<ConfigError>> load_config(const std::string& path) {
  ReadConfig read = read_config_file(path);
  if (!read.errors.empty()) return std::unexpected(std::move(read.errors));
  return std::move(read.config);
}

void say_errors(const std::string& path, const std::vector<ConfigError>& errors) {
  for (const ConfigError& error : errors) say(error.line > 0 ? fmt::format("{}:{}", path, error.line) : path, error.why, error.hint);
}

}  // namespace weir::cli
