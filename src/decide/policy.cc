#include "decide/policy.h"

#include <fmt/format.h>

#include <utility>

namespace weir::decide {
namespace {

constexpr unsigned kVersions = 2;

std::string versions_text(std::uint8_t versions) {
  std::string text;
  for (unsigned i = 0; i < kVersions; ++i) {
    if ((versions >> i & 1U) != 0) text += fmt::format("{}{}", text.empty() ? "" : ", ", i);
  }
  return text;
}

/// What the connection is where it does not meet a condition.
std::string what_it_is(Condition condition, Question& question) {
  const Facts& facts = question.facts;
  const auto word = [](std::string_view text) { return text.empty() ? std::string("not known") : std::string(text); };
  const auto known = [](Known which) { return which == Known::kUnasked ? "not known" : which == Known::kNew ? "new" : "known"; };
  switch (condition) {
    case Condition::kClient:
      return fmt::format("client is {}", to_string(facts.connection.src));
    case Condition::kServer:
      return fmt::format("server is {}", to_string(facts.connection.dst));
    case Condition::kPort:
      return fmt::format("port is {}", facts.connection.dst_port);
    case Condition::kInterfaceIn:
      return fmt::format("interface_in is {}", word(facts.interface_in));
    case Condition::kInterfaceOut:
      return fmt::format("interface_out is {}", word(facts.interface_out));
    case Condition::kDirection:
      return fmt::format("direction is {}", name_of(question.direction));
    case Condition::kTime:
      if (!facts.time) return "time is not known";
      return fmt::format("time is day {} of the week, {:02}:{:02}", facts.time->weekday + 1, facts.time->minute / 60, facts.time->minute % 60);
    case Condition::kName:
      return fmt::format("name is {}", facts.names.empty() ? "not known" : fmt::format("{}", fmt::join(facts.names, ", ")));
    case Condition::kCategory: {
      std::string all;
      for (std::size_t i = 0; i < Categories::kMostCategories; ++i) {
        if (question.categories().test(i)) all += fmt::format("{}{}", all.empty() ? "" : ", ", question.lookups.categories->name(i));
      }
      return fmt::format("category is {}", all.empty() ? "none" : all);
    }
    case Condition::kFeed:
      return "feed has no such entry of it";
    case Condition::kVersion:
      return facts.version ? fmt::format("version is {}", *facts.version) : "version is not known";
    case Condition::kAnomaly:
      return "no such event was raised";
    case Condition::kInventory:
      return fmt::format("inventory: client {}, service {}", known(facts.client), known(facts.service));
  }
  return {};
}

}  // namespace

struct Policy::Compiled {
  Compiled(const Rule& rule, const Lookups& lookups) : name(rule.name), line(rule.line), conditions(rule.match, lookups) {
    const std::string text = conditions.text();
    decision = std::make_shared<Decision>(Decision{rule.action, name, text.empty() ? "matches everything" : text, rule.limits});
    if (rule.limits.versions == 0 || rule.action == Action::kReset || rule.action == Action::kStrip) return;
    other_version = std::make_shared<Decision>(
        Decision{Action::kStrip, name, fmt::format("its version is none of limits.versions ({})", versions_text(rule.limits.versions)), rule.limits});
  }

  const std::shared_ptr<const Decision>& decision_for(const Facts& facts) const {
    const bool other = other_version && facts.version && (*facts.version >= kVersions || (decision->limits.versions >> *facts.version & 1U) == 0);
    return other ? other_version : decision;
  }

  std::string name;
  int line = 0;
  Conditions conditions;
  std::shared_ptr<const Decision> decision;
  std::shared_ptr<const Decision> other_version;  ///< of a version that the limits leave out; null: there is none
};

Policy::Policy(PolicySettings settings, Lookups lookups) : lookups_(std::move(lookups)) {
  if (settings.has_inside) inside_.emplace(settings.inside);
  rules_.reserve(settings.rules.size() + 1);
  for (const Rule& rule : settings.rules) {
    rules_.emplace_back(rule, lookups_);
    asks_for_anomalies_ = asks_for_anomalies_ || rule.match.anomalies != 0;
  }
  settings.otherwise.name = "default";
  settings.otherwise.match = {};
  Compiled& last = rules_.emplace_back(settings.otherwise, lookups_);
  last.decision = std::make_shared<Decision>(Decision{settings.otherwise.action, last.name, "no rule matches", settings.otherwise.limits});
}
Policy::~Policy() = default;
Policy::Policy(Policy&&) noexcept = default;
Policy& Policy::operator=(Policy&&) noexcept = default;

FlowDirection Policy::direction_of(const IpAddress& client, const IpAddress& server) const {
  const bool from = !inside_ || inside_->contains(client), to = !inside_ || inside_->contains(server);
  if (from) return to ? FlowDirection::kInternal : FlowDirection::kOutbound;
  return to ? FlowDirection::kInbound : FlowDirection::kExternal;
}

const Policy::Compiled& Policy::matching(Question& question) const {
  for (const Compiled& rule : rules_) {
    if (!rule.conditions.first_missed(question)) return rule;
  }
  return rules_.back();
}

std::shared_ptr<const Decision> Policy::decide(const Facts& facts) const {
  Question question(facts, direction_of(facts.connection.src, facts.connection.dst), lookups_);
  return matching(question).decision_for(facts);
}

Explanation Policy::explain(const Facts& facts) const {
  Question question(facts, direction_of(facts.connection.src, facts.connection.dst), lookups_);
  Explanation out;
  out.direction = question.direction;
  for (std::size_t i = 0; lookups_.categories && i < Categories::kMostCategories; ++i) {
    if (question.categories().test(i)) out.categories.emplace_back(lookups_.categories->name(i));
  }
  for (const Compiled& rule : rules_) {
    RuleAnswer& answer = out.answers.emplace_back(RuleAnswer{rule.name, rule.line, rule.conditions.first_missed(question), {}});
    if (answer.missed) {
      answer.why = what_it_is(*answer.missed, question);
      continue;
    }
    out.decision = rule.decision_for(facts);
    answer.why = out.decision->reason;
    break;
  }
  return out;
}

}  // namespace weir::decide
