#include "cli/config_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace weir::cli {
namespace {

/// Every key that a configuration may have: "[]" is each entry of a list, "*" a key of the user's own. Those of limits come from their table.
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
    "gateway.inside",
    "gateway.inside.[]",
    "gateway.fail",
    "gateway.fail.dead",
    "gateway.fail.queue",
    "gateway.fail.memory",
    "gateway.fail.unseen_path",
    "gateway.forged",
    "gateway.signatures",
    "gateway.queues",
    "gateway.first_queue",
    "gateway.queue_packets",
    "gateway.offload",
    "gateway.state",
    "gateway.state_seconds",
    "gateway.proxy.port",
    "gateway.proxy.table",
    "gateway.drain_seconds",
    "gateway.control.socket",
    "gateway.control.token_file",
    "gateway.control.remote",
    "policy.default.action",
    "policy.default.limits.subflows",
    "policy.default.limits.paths",
    "policy.default.limits.paths.[]",
    "policy.default.limits.opened_by",
    "policy.default.limits.joins_per_second",
    "policy.default.limits.backup_only",
    "policy.default.limits.add_addr",
    "policy.default.limits.versions",
    "policy.default.limits.versions.[]",
    "policy.default.limits.host_connections",
    "policy.default.limits.host_subflows",
    "policy.default.limits.host_joins_per_second",
    "policy.rules.[].name",
    "policy.rules.[].match.client",
    "policy.rules.[].match.client.[]",
    "policy.rules.[].match.server",
    "policy.rules.[].match.server.[]",
    "policy.rules.[].match.port",
    "policy.rules.[].match.port.[]",
    "policy.rules.[].match.interface_in",
    "policy.rules.[].match.interface_in.[]",
    "policy.rules.[].match.interface_out",
    "policy.rules.[].match.interface_out.[]",
    "policy.rules.[].match.direction",
    "policy.rules.[].match.direction.[]",
    "policy.rules.[].match.time",
    "policy.rules.[].match.time.[]",
    "policy.rules.[].match.weekdays",
    "policy.rules.[].match.weekdays.[]",
    "policy.rules.[].match.name",
    "policy.rules.[].match.name.[]",
    "policy.rules.[].match.category",
    "policy.rules.[].match.category.[]",
    "policy.rules.[].match.feed",
    "policy.rules.[].match.feed.[]",
    "policy.rules.[].match.version",
    "policy.rules.[].match.version.[]",
    "policy.rules.[].match.anomaly",
    "policy.rules.[].match.anomaly.[]",
    "policy.rules.[].match.inventory.client",
    "policy.rules.[].match.inventory.service",
    "policy.rules.[].action",
    "policy.rules.[].limits.subflows",
    "policy.rules.[].limits.paths",
    "policy.rules.[].limits.paths.[]",
    "policy.rules.[].limits.opened_by",
    "policy.rules.[].limits.joins_per_second",
    "policy.rules.[].limits.backup_only",
    "policy.rules.[].limits.add_addr",
    "policy.rules.[].limits.versions",
    "policy.rules.[].limits.versions.[]",
    "policy.rules.[].limits.host_connections",
    "policy.rules.[].limits.host_subflows",
    "policy.rules.[].limits.host_joins_per_second",
    "categories.*",
    "feeds.*",
    "nat.[].inside",
    "nat.[].outside",
    "nat.[].pool.outside",
    "nat.[].pool.outside.[]",
    "nat.[].pool.ports",
    "nat.[].pool.seconds",
});

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

/// Purpose: walks a document once.
class Walk {
 public:
  /// `wrong`: see check_keys().
  Walk(ConfigValues& values, std::set<std::string>& wrong) : values_(values), wrong_(wrong) {
    for (const std::string_view key : kKeys) patterns_.push_back(split(key));
    for (const LimitInfo& limit : kLimitTable) patterns_.push_back({"limits", limit.name});
  }

  void walk(const YAML::Node& node) {
    if (path_.size() > kDeepest) return error(node, "lists and maps are nested too deeply");
    if (node.IsSequence()) {
      if (!may_be_list()) return misplaced(node, fmt::format("'{}' takes no list", path_.back()));
      path_.emplace_back("[]");
      for (const auto& entry : node) walk(entry);
      path_.pop_back();
    } else if (node.IsMap()) {
      walk_map(node);
    } else if (node.IsScalar() && !may_be_value()) {
      if (path_.back() == "[]") return error(node, "a member of the list takes keys, and no value");
      misplaced(node, fmt::format("'{}' takes {}", path_.back(), may_be_list() ? "a list" : "keys, and no value"));
    }
  }

 private:
  static constexpr std::size_t kDeepest = 32;  // of lists and maps in one another; an alias can make any depth

  void error(const YAML::Node& node, std::string why, std::string hint = {}) {
    if (!path_.empty()) wrong_.insert(path_.front());
    values_.error(node, std::move(why), std::move(hint));
  }
  void misplaced(const YAML::Node& node, std::string why) {
    if (!path_.empty()) wrong_.insert(path_.front());
    values_.misplaced(node, std::move(why));
  }

  bool known() const {
    return std::ranges::any_of(patterns_, [&](const auto& pattern) { return leads_along(pattern, path_); });
  }
  /// A key may take a list only where the table has one.
  bool may_be_list() {
    path_.emplace_back("[]");
    const bool may = known();
    path_.pop_back();
    return may;
  }
  /// A key that leads to others only has no value of its own.
  bool may_be_value() const {
    return std::ranges::any_of(patterns_, [&](const auto& pattern) { return pattern.size() == path_.size() && leads_along(pattern, path_); });
  }

  void walk_map(const YAML::Node& node) {
    std::set<std::string> seen;
    for (const auto& pair : node) {
      if (!pair.first.IsScalar()) {
        error(pair.first, "a key must be a word");
        continue;
      }
      const std::string key = pair.first.Scalar();
      path_.push_back(key);
      if (!seen.insert(key).second) {
        error(pair.first, fmt::format("'{}' is given twice", key));
      } else if (known() && key != "[]") {
        walk(pair.second);
      } else {
        const std::string near = nearest(key);
        if (path_.size() == 1) wrong_.insert(near);
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

  ConfigValues& values_;
  std::set<std::string>& wrong_;
  std::vector<std::vector<std::string_view>> patterns_;
  Path path_;
};

void add_lines(const YAML::Node& map, const std::string& before, KeyLines& into) {
  for (const auto& pair : map) {
    const std::string key = before + pair.first.Scalar();
    into[key] = line_of(pair.first);
    if (pair.second.IsMap()) add_lines(pair.second, key + ".", into);
  }
}

}  // namespace

std::set<std::string> check_keys(const YAML::Node& root, ConfigValues& values) {
  std::set<std::string> wrong;
  Walk(values, wrong).walk(root);
  return wrong;
}

KeyLines lines_of_keys(const YAML::Node& root) {
  KeyLines lines;
  if (root.IsMap()) add_lines(root, "", lines);
  return lines;
}

int line_of_key(const KeyLines& lines, std::string_view key) {
  for (;;) {
    if (const auto found = lines.find(key); found != lines.end()) return found->second;
    const auto dot = key.rfind('.');
    if (dot == std::string_view::npos) return 0;
    key = key.substr(0, dot);
  }
}

}  // namespace weir::cli
