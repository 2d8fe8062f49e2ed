#include "cli/config_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "inspect/rules/groups.h"

namespace weir::cli {
namespace {

constexpr std::size_t kMostInterfaceBytes = 15;  // IFNAMSIZ without its NUL

}  // namespace

int line_of(const YAML::Node& node) { return node.Mark().line + 1; }

void ConfigValues::error(const YAML::Node& node, std::string why, std::string hint) {
  if (std::ranges::find(misplaced_, node.Mark().pos) != misplaced_.end()) return;
  errors_.push_back({line_of(node), std::move(why), std::move(hint)});
}

void ConfigValues::misplaced(const YAML::Node& node, std::string why) {
  error(node, std::move(why));
  misplaced_.push_back(node.Mark().pos);
}

std::vector<ConfigError> ConfigValues::take_errors() {
  std::ranges::stable_sort(errors_, {}, &ConfigError::line);
  return std::move(errors_);
}

void ConfigValues::number(const YAML::Node& node, std::string_view name, std::pair<std::int64_t, std::int64_t> range, std::string_view unit, std::int64_t& into,
                          std::string hint) {
  if (!node.IsDefined()) return;
  const std::string& text = node.IsScalar() ? node.Scalar() : "";
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size() || code != std::errc() || value < range.first || value > range.second)
    return error(node, fmt::format("{} is a whole number from {} to {} ({})", name, range.first, range.second, unit), std::move(hint));
  into = value;
}

void ConfigValues::number(const YAML::Node& node, std::string_view name, std::pair<std::int64_t, std::int64_t> range, std::string_view unit,
                          std::uint32_t& into) {
  std::int64_t value = into;
  number(node, name, range, unit, value);
  into = static_cast<std::uint32_t>(value);
}

void ConfigValues::flag(const YAML::Node& node, std::string_view name, bool& into) {
  if (const auto which = word(node, name, {"false", "true"})) into = *which == 1;
}

void ConfigValues::text(const YAML::Node& node, std::string_view name, std::string_view what, std::string& into) {
  if (!node.IsDefined()) return;
  if (!node.IsScalar() || node.Scalar().empty()) return error(node, fmt::format("{} is {}", name, what));
  into = node.Scalar();
}

std::optional<std::size_t> ConfigValues::word(const YAML::Node& node, std::string_view name, std::initializer_list<std::string_view> words) {
  if (!node.IsDefined()) return std::nullopt;
  const std::string_view given = node.IsScalar() ? std::string_view(node.Scalar()) : "";
  const auto* const found = std::ranges::find(words, given);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  error(node, fmt::format("{} is one of {}", name, fmt::join(words, ", ")));
  return std::nullopt;
}

void ConfigValues::interfaces(const YAML::Node& node, std::string_view name, std::string_view example, std::vector<std::string>& into) {
  if (!node.IsDefined()) return;
  if (!node.IsSequence()) return error(node, fmt::format("{} is a list of names", name), std::string(example));
  for (const auto& each : node) {
    if (each.IsScalar() && !each.Scalar().empty() && each.Scalar().size() <= kMostInterfaceBytes) {
      into.push_back(each.Scalar());
    } else {
      error(each, "an interface's name has 1 to 15 octets");
    }
  }
}

std::vector<std::pair<YAML::Node, std::string>> ConfigValues::members(const YAML::Node& node, std::string_view name) {
  std::vector<std::pair<YAML::Node, std::string>> out;
  const auto take = [&](const YAML::Node& member) {
    if (member.IsScalar() && !member.Scalar().empty()) {
      out.emplace_back(member, member.Scalar());
    } else if (const std::string& tag = member.Tag(); tag.size() > 1 && tag.front() == '!') {
      error(member, fmt::format("an exception of {} is written in quotes", name), fmt::format("as in \"{}\"", tag));
    } else {
      error(member, fmt::format("a member of {} is text", name));
    }
  };
  if (!node.IsDefined()) return out;
  if (!node.IsSequence()) return take(node), out;
  if (node.size() == 0) error(node, fmt::format("{} is an empty list: nothing could match", name), "leave the key out where anything may match");
  for (const auto& member : node) take(member);
  return out;
}

void ConfigValues::addresses(const YAML::Node& node, std::string_view name, const inspect::rules::Variables& variables, inspect::rules::AddressGroup& into) {
  std::vector<std::string> texts;
  for (const auto& [member, text] : members(node, name)) {
    if (const auto read = inspect::rules::parse_addresses(text, variables); !read) {
      error(member, fmt::format("{}: {}", name, read.error().why));
      return;
    }
    texts.push_back(text);
  }
  if (texts.empty()) return;
  auto whole = inspect::rules::parse_addresses(fmt::format("[{}]", fmt::join(texts, ",")), variables);
  if (!whole) return error(node, fmt::format("{}: {}", name, whole.error().why));
  into = *std::move(whole);
}

void ConfigValues::ports(const YAML::Node& node, std::string_view name, const inspect::rules::Variables& variables, inspect::rules::PortGroup& into) {
  std::vector<std::string> texts;
  for (auto [member, text] : members(node, name)) {
    if (!text.starts_with('$')) std::ranges::replace(text, '-', ':');  // a range is written with either
    if (const auto read = inspect::rules::parse_ports(text, variables); !read) {
      error(member, fmt::format("{}: {}", name, read.error().why));
      return;
    }
    texts.push_back(std::move(text));
  }
  if (texts.empty()) return;
  auto whole = inspect::rules::parse_ports(fmt::format("[{}]", fmt::join(texts, ",")), variables);
  if (!whole) return error(node, fmt::format("{}: {}", name, whole.error().why));
  into = *std::move(whole);
}

}  // namespace weir::cli
