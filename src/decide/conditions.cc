#include "decide/conditions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir::decide {
namespace {

constexpr auto kConditions = std::to_array<std::string_view>(
    {"client", "server", "port", "interface_in", "interface_out", "direction", "time", "name", "category", "feed", "version", "anomaly", "inventory"});
constexpr unsigned kMinutes = 1'440;
constexpr unsigned kDays = 7;

bool has_bit(std::uint8_t set, unsigned bit) { return (set >> bit & 1U) != 0; }

bool interface_holds(const Words& words, std::string_view name) {
  const auto is = [&](const std::string& word) {
    return word.ends_with('*') ? name.starts_with(std::string_view(word).substr(0, word.size() - 1)) : name == word;
  };
  return (words.in.empty() || std::ranges::any_of(words.in, is)) && std::ranges::none_of(words.out, is);
}

Categories::Set numbers_of(const std::vector<std::string>& words, const Categories* categories) {
  Categories::Set out;
  for (const std::string& word : words) {
    if (const auto number = categories ? categories->find(word) : std::nullopt) out.set(*number);
  }
  return out;
}

bool known_as(Known asked, Known is) { return asked == Known::kUnasked || asked == is; }

}  // namespace

std::string_view name_of(Condition condition) { return kConditions.at(static_cast<std::size_t>(condition)); }

const Categories::Set& Question::categories() {
  if (!categories_) {
    Categories::Set all;
    if (lookups.categories) {
      all = lookups.categories->of(facts.connection.dst);
      for (const std::string& name : facts.names) all |= lookups.categories->of(name);
    }
    categories_ = all;
  }
  return *categories_;
}

Conditions::Conditions(const Match& match, const Lookups& lookups)
    : match_(match),
      client_(match.client),
      server_(match.server),
      port_(match.port),
      names_in_(match.names.in),
      names_out_(match.names.out),
      categories_in_(numbers_of(match.categories.in, lookups.categories.get())),
      categories_out_(numbers_of(match.categories.out, lookups.categories.get())),
      feeds_in_(uses(match.feeds.in, lookups)),
      feeds_out_(uses(match.feeds.out, lookups)) {}

std::vector<Conditions::FeedUse> Conditions::uses(const std::vector<std::string>& words, const Lookups& lookups) {
  std::vector<FeedUse> out;
  for (const std::string_view word : words) {
    const auto colon = word.find(':');
    const auto feed = lookups.feeds.find(word.substr(0, colon));
    if (feed == lookups.feeds.end() || !feed->second) continue;
    std::uint8_t verdicts = 0;
    for (std::size_t i = 0; i < kFeedVerdicts; ++i) {
      const auto verdict = static_cast<FeedVerdict>(i);
      if (colon == std::string_view::npos ? speaks(verdict) : name_of(verdict) == word.substr(colon + 1))
        verdicts = static_cast<std::uint8_t>(verdicts | 1U << i);
    }
    out.push_back({feed->second, verdicts});
  }
  return out;
}

bool Conditions::FeedUse::holds(const Facts& facts) const {
  const auto verdict = feed->find(facts.connection.dst, facts.connection.dst_port, facts.names);
  return verdict && has_bit(verdicts, static_cast<unsigned>(*verdict));
}

bool Conditions::time_holds(const Facts& facts) const {
  if (match_.times.empty() && match_.weekdays == 0) return true;
  if (!facts.time) return false;
  const unsigned minute = facts.time->minute, today = facts.time->weekday % kDays, yesterday = (today + kDays - 1) % kDays;
  const auto on = [&](unsigned day) { return match_.weekdays == 0 || has_bit(match_.weekdays, day); };
  if (match_.times.empty()) return on(today);
  return std::ranges::any_of(match_.times, [&](const DayTime& span) {
    if (span.first < span.last) return minute >= span.first && minute < span.last && on(today);
    return (minute >= span.first && minute < kMinutes && on(today)) || (minute < span.last && on(yesterday));
  });
}

bool Conditions::category_holds(Question& question) const {
  if (match_.categories.any()) return true;
  const Categories::Set& is = question.categories();
  return (match_.categories.in.empty() || (is & categories_in_).any()) && (is & categories_out_).none();
}

bool Conditions::feed_holds(const Facts& facts) const {
  const auto holds = [&](const FeedUse& use) { return use.holds(facts); };
  return (match_.feeds.in.empty() || std::ranges::any_of(feeds_in_, holds)) && std::ranges::none_of(feeds_out_, holds);
}

bool Conditions::inventory_holds(const Facts& facts) const {
  return known_as(match_.client_known, facts.client) && known_as(match_.service_known, facts.service);
}

std::optional<Condition> Conditions::first_missed(Question& question) const {
  const Facts& facts = question.facts;
  if (!port_.contains(facts.connection.dst_port)) return Condition::kPort;
  if (match_.directions != 0 && !has_bit(match_.directions, static_cast<unsigned>(question.direction))) return Condition::kDirection;
  if (match_.versions != 0 && !(facts.version && *facts.version < 8 && has_bit(match_.versions, *facts.version))) return Condition::kVersion;
  if (match_.anomalies != 0 && (match_.anomalies & facts.anomalies) == 0) return Condition::kAnomaly;
  if (!inventory_holds(facts)) return Condition::kInventory;
  if (!time_holds(facts)) return Condition::kTime;
  if (!client_.contains(facts.connection.src)) return Condition::kClient;
  if (!server_.contains(facts.connection.dst)) return Condition::kServer;
  if (!interface_holds(match_.interface_in, facts.interface_in)) return Condition::kInterfaceIn;
  if (!interface_holds(match_.interface_out, facts.interface_out)) return Condition::kInterfaceOut;
  const auto listed = [&](const NamePatterns& patterns) {
    return std::ranges::any_of(facts.names, [&](const std::string& name) { return patterns.contains(name); });
  };
  if ((!match_.names.in.empty() && !listed(names_in_)) || (!match_.names.out.empty() && listed(names_out_))) return Condition::kName;
  if (!category_holds(question)) return Condition::kCategory;
  if (!feed_holds(facts)) return Condition::kFeed;
  return std::nullopt;
}

std::string Conditions::text() const {
  std::vector<std::string> parts;
  const auto words = [&](Condition condition, const Words& which) {
    if (which.any()) return;
    std::vector<std::string> all = which.in;
    for (const std::string& word : which.out) all.push_back("!" + word);
    parts.push_back(fmt::format("{} {}", name_of(condition), fmt::join(all, "|")));
  };
  if (!match_.client.any()) parts.emplace_back("client");
  if (!match_.server.any()) parts.emplace_back("server");
  if (!match_.port.any()) parts.emplace_back("port");
  words(Condition::kInterfaceIn, match_.interface_in);
  words(Condition::kInterfaceOut, match_.interface_out);
  if (match_.directions != 0) {
    std::vector<std::string_view> ways;
    for (unsigned i = 0; i < 4; ++i) {
      if (has_bit(match_.directions, i)) ways.push_back(name_of(static_cast<FlowDirection>(i)));
    }
    parts.push_back(fmt::format("direction {}", fmt::join(ways, "|")));
  }
  if (!match_.times.empty() || match_.weekdays != 0) parts.emplace_back("time");
  words(Condition::kName, match_.names);
  words(Condition::kCategory, match_.categories);
  words(Condition::kFeed, match_.feeds);
  if (match_.versions != 0) parts.push_back(fmt::format("version {}", match_.versions == 3 ? "0|1" : match_.versions == 1 ? "0" : "1"));
  if (match_.anomalies != 0) parts.emplace_back("anomaly");
  if (match_.client_known != Known::kUnasked || match_.service_known != Known::kUnasked) parts.emplace_back("inventory");
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace weir::decide
