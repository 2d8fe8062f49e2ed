#include "cli/probe_targets.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "cli/command_line.h"
#include "cli/say.h"
#include "probe/output/whole_file.h"
#include "probe/targets/resolver.h"
#include "probe/targets/target_text.h"
#include "report/table.h"

namespace weir::cli {
namespace {

namespace targets = probe::targets;

constexpr std::size_t kMostTold = 20;           // names without an address, one by one
constexpr std::size_t kLongestList = 1U << 30;  // octets

struct WantedName {
  std::string name, category;
  std::optional<std::uint16_t> port;
};

struct Wanted {
  std::vector<targets::Block> blocks;
  std::vector<WantedName> names;
  targets::Categories categories;
};

std::expected<std::string, int> read_list(const std::string& path) {
  std::string text;
  if (path == "-") {
    std::array<char, 1 << 16> piece{};
    for (;;) {
      const ssize_t size = ::read(STDIN_FILENO, piece.data(), piece.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return say("standard input", "cannot be read"), std::unexpected(kNotDone);
      if (size == 0) return text;
      text.append(piece.data(), static_cast<std::size_t>(size));
      if (text.size() > kLongestList) return say("standard input", "is longer than 1 GiB"), std::unexpected(kNotDone);
    }
  }
  const auto file = probe::output::read_whole(path, kLongestList);
  if (!file) return say(file.error()), std::unexpected(kBadUsage);
  if (!*file) return std::unexpected(refuse(path, std::strerror(ENOENT)));
  return **file;
}

void want(const targets::TargetText& target, const std::string& category, const ProbeOptions& options, Wanted& wanted) {
  if (!target.prefix) {
    wanted.names.push_back({.name = target.name, .category = category, .port = target.port});
    return;
  }
  if (!category.empty()) wanted.categories.add(*target.prefix, category);
  if (target.port) {
    wanted.blocks.push_back({*target.prefix, *target.port});
  } else {
    for (const std::uint16_t port : options.ports) wanted.blocks.push_back({*target.prefix, port});
  }
}

std::optional<int> want_list(const std::string& path, const std::string& category, const ProbeOptions& options, Wanted& wanted) {
  const auto text = read_list(path);
  if (!text) return text.error();
  for (const auto& line : targets::list_lines(*text)) {
    const auto target = targets::parse_target(line.text);
    if (!target) return refuse(fmt::format("{}:{}", path, line.number), fmt::format("'{}' {}", line.text, target.error()));
    want(*target, category, options, wanted);
  }
  return std::nullopt;
}

std::expected<std::vector<targets::Prefix>, int> read_exclusions(const ProbeOptions& options) {
  std::vector<targets::Prefix> excluded;
  if (!options.exclude) return excluded;
  const auto text = read_list(*options.exclude);
  if (!text) return std::unexpected(text.error());
  for (const auto& line : targets::list_lines(*text)) {
    const auto prefix = targets::parse_prefix(line.text);
    if (!prefix) return std::unexpected(refuse(fmt::format("{}:{}", *options.exclude, line.number), fmt::format("'{}' {}", line.text, prefix.error())));
    excluded.push_back(*prefix);
  }
  return excluded;
}

std::optional<int> want_all(const ProbeOptions& options, std::span<const std::string> learnt, Wanted& wanted) {
  for (const std::string& text : options.targets) {
    const auto target = targets::parse_target(text);
    if (!target) return refuse(text, target.error());
    want(*target, {}, options, wanted);
  }
  for (const std::string& path : options.lists)
    if (const auto status = want_list(path, {}, options, wanted)) return status;
  for (const std::string& category : options.categories) {
    const std::size_t equals = category.find('=');
    if (equals == 0 || equals == std::string::npos) return refuse("--category", fmt::format("'{}' is no NAME=FILE", category));
    if (const auto status = want_list(category.substr(equals + 1), category.substr(0, equals), options, wanted)) return status;
  }
  for (const std::string& name : learnt)
    if (const auto target = targets::parse_target(name); target && !target->prefix) want(*target, {}, options, wanted);
  return std::nullopt;
}

/// A name that stands in two lists comes once for each category, and without one only if it has none.
void add_name(std::vector<probe::output::Name>& known, probe::output::Name name) {
  for (probe::output::Name& one : known) {
    if (one.name != name.name) continue;
    if (name.category.empty() || one.category == name.category) return;
    if (!one.category.empty()) continue;
    one.category = std::move(name.category);
    return;
  }
  known.push_back(std::move(name));
}

/// Names become addresses; those that have none are told.
std::optional<int> add_names(const ProbeOptions& options, const std::function<bool()>& stop, Wanted& wanted, ProbeTargets& out) {
  std::vector<std::string> names;
  for (const WantedName& one : wanted.names) names.push_back(one.name);
  const auto resolved = targets::resolve(names, {.server = options.dns}, stop);
  if (!resolved) return say(resolved.error()), kNotDone;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const WantedName& one = wanted.names[i];
    const targets::Resolved& found = (*resolved)[i];
    if (found.addresses.empty()) {
      ++out.unresolved;
      if (!stop() && out.unresolved <= kMostTold) say(one.name, found.problem);
    }
    for (const IpAddress& address : found.addresses) {
      auto& known = out.names[address];
      add_name(known, {.name = one.name, .category = one.category, .https_record = found.https_record});
      for (const std::uint16_t port : one.port ? std::vector{*one.port} : options.ports) wanted.blocks.push_back({{.address = address, .bits = 128}, port});
    }
  }
  if (out.unresolved > kMostTold && !stop()) say("names", fmt::format("{} more have no address", report::grouped(out.unresolved - kMostTold)));
  return std::nullopt;
}

/// What is named by address, all together, is as wide as an exclusion list is a must for: how wide, in words.
std::optional<std::string> too_wide(const Wanted& wanted) {
  std::vector<targets::Block> addresses = wanted.blocks;
  for (targets::Block& block : addresses) block.port = 0;
  const auto space = targets::TargetSpace::make(addresses, {});
  if (space && space->size() <= targets::kWideAddresses) return std::nullopt;
  return space ? report::grouped(space->size()) + " addresses" : "more than 2^62 addresses";
}

}  // namespace

std::vector<std::string> ProbeTargets::categories_of(const IpAddress& address) const {
  std::vector<std::string> all;
  for (const probe::output::Name& name : names_of(address))
    if (!name.category.empty()) all.push_back(name.category);
  categories.append(address, all);
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

std::expected<ProbeTargets, int> collect_targets(const ProbeOptions& options, std::span<const std::string> learnt, const std::function<bool()>& stop) {
  Wanted wanted;
  if (const auto status = want_all(options, learnt, wanted)) return std::unexpected(*status);
  if (!options.exclude)
    if (const auto wide = too_wide(wanted))
      return std::unexpected(refuse("probe", fmt::format("the targets are {}, more than a /16 has, and there is no list of what is to be left alone", *wide),
                                    "--exclude FILE, an empty one if nothing is"));
  const auto excluded = read_exclusions(options);
  if (!excluded) return std::unexpected(excluded.error());
  ProbeTargets out;
  out.named = wanted.blocks.size() + wanted.names.size();
  out.categories = std::move(wanted.categories);
  if (const auto status = add_names(options, stop, wanted, out)) return std::unexpected(*status);
  auto space = targets::TargetSpace::make(wanted.blocks, *excluded);
  if (!space) return std::unexpected(refuse("probe", space.error()));
  out.space = *std::move(space);
  return out;
}

}  // namespace weir::cli
