#include "inspect/match/rule_set.h"

#include <algorithm>
#include <map>
#include <set>

namespace weir::inspect::match {
namespace {

/// Whether a stream of direction `d` can be one that the rule asks for, as far as its flow says.
bool goes_along(const rules::Rule& rule, Direction d) {
  const rules::Flow& f = rule.flow;
  if (f.to_server == f.to_client) return true;
  return f.to_server == (d == Direction::kToServer);
}

/// The rule's ports on the server's side of a stream of direction `d`.
std::vector<const rules::PortGroup*> server_ports(const rules::Rule& rule, Direction d) {
  std::vector<const rules::PortGroup*> out{d == Direction::kToServer ? &rule.dst_port : &rule.src_port};
  if (rule.both_ways) out.push_back(d == Direction::kToServer ? &rule.src_port : &rule.dst_port);
  return out;
}

bool wants_port(const rules::Rule& rule, Direction d, std::uint16_t port) {
  return std::ranges::any_of(server_ports(rule, d), [&](const auto* group) { return group->contains(port); });
}

bool any_port(const rules::Rule& rule, Direction d) {
  return std::ranges::any_of(server_ports(rule, d), [](const auto* group) { return group->any(); });
}

/// The rule's ports on the client's side, where these are few, whichever way it is read: such a rule is about no other connection.
std::vector<const rules::PortGroup*> few_client_ports(const rules::Rule& rule, Direction d) {
  constexpr unsigned kFew = 1'024;
  const auto are_few = [](const rules::PortGroup* group) {
    unsigned count = 0;
    for (const auto& range : group->in) count += range.last - range.first + 1U;
    return !group->in.empty() && count <= kFew;
  };
  auto groups = server_ports(rule, reverse(d));  // as the server's of the other direction
  if (!std::ranges::all_of(groups, are_few)) groups.clear();
  return groups;
}

/// Which rules set a flowbit that some rule takes back: these do it at each match.
void find_bits_set_again(std::vector<rules::Rule>& rules) {
  using Operation = rules::FlowBits::Operation;
  std::set<std::string> taken_back;
  for (const rules::Rule& rule : rules) {
    for (const rules::FlowBits& bits : rule.flowbits) {
      if (bits.operation == Operation::kUnset || bits.operation == Operation::kToggle) taken_back.insert(bits.names.begin(), bits.names.end());
    }
  }
  for (rules::Rule& rule : rules) {
    rule.sets_again = std::ranges::any_of(rule.flowbits, [&](const rules::FlowBits& bits) {
      return bits.operation <= Operation::kToggle && std::ranges::any_of(bits.names, [&](const std::string& name) { return taken_back.contains(name); });
    });
  }
}

/// Suricata's order of rules that match at the same place: pass comes first, and what sets a flowbit before what asks for one.
unsigned rank_of(const rules::Rule& rule) {
  using Operation = rules::FlowBits::Operation;
  if (rule.action == rules::Action::kPass) return 0;
  const auto any = [&](auto... which) {
    return std::ranges::any_of(rule.flowbits, [&](const rules::FlowBits& bits) { return ((bits.operation == which) || ...); });
  };
  const bool asks = any(Operation::kIsSet, Operation::kIsNotSet);
  if (any(Operation::kSet, Operation::kUnset, Operation::kToggle)) return asks ? 2 : 1;
  return asks ? 3 : 4;
}

bool on_streams(const Plan& plan) { return plan.has_stream() || !plan.has_parts(); }

}  // namespace

void RuleSet::refuse(std::uint32_t plan, std::string why, std::vector<Refused>& refused) {
  if (left_out_[plan]) return;
  left_out_[plan] = true;
  refused.push_back({plans_[plan].rule.file, plans_[plan].rule.line, std::move(why)});
}

std::shared_ptr<RuleSet> RuleSet::make(std::vector<rules::Rule> rules, const Limits& limits, DatabaseCache* cache, std::vector<Refused>& refused) {
  auto set = std::make_shared<RuleSet>();
  set->limits_.steps = static_cast<std::uint32_t>(limits.rule_steps);
  set->regex_match_limit_ = static_cast<std::uint32_t>(limits.pcre_match_limit);
  set->limits_.ahead_bytes = static_cast<std::uint64_t>(limits.rule_window_bytes);
  find_bits_set_again(rules);
  std::ranges::stable_sort(rules, {}, rank_of);
  for (rules::Rule& rule : rules) {
    const std::string file = rule.file;
    const int line = rule.line;
    if (auto plan = make_plan(std::move(rule), set->limits_, static_cast<std::uint32_t>(limits.pcre_match_limit))) {
      set->needs_applications_ |= plan->has_parts() || plan->rule.protocol > rules::Protocol::kTcp || plan->rule.speaks;
      set->plans_.push_back(std::move(*plan));
    } else {
      refused.push_back({file, line, plan.error()});
    }
  }
  set->left_out_.assign(set->plans_.size(), false);
  // A pattern that Hyperscan refuses takes its rules along, and what holds them is made again.
  for (const Direction d : {Direction::kToServer, Direction::kToClient}) {
    while (!set->make_port_groups(d, cache, refused)) {
    }
  }
  for (std::size_t s = 1; s < set->stages_.size(); ++s) {
    while (!set->make_stage(static_cast<Stage>(s), cache, refused)) {
    }
  }
  return set;
}

void RuleSet::grow(Scratch& scratch) const {
  for (const Ports& ports : ports_) {
    for (const PortGroup& group : ports.groups) scratch.grow(group.database);
    if (!ports.named.database.empty()) scratch.grow(ports.named.database);
  }
  for (const StageGroup& stage : stages_) {
    for (const auto& fast : stage.fast) scratch.grow(fast.database);
  }
}

bool RuleSet::make_port_groups(Direction d, DatabaseCache* cache, std::vector<Refused>& refused) {
  Ports& ports = ports_[index(d)];
  ports = {};
  std::vector<std::uint32_t> everywhere, somewhere, all;
  bool any_named = false;
  for (std::uint32_t i = 0; i < plans_.size(); ++i) {
    if (left_out_[i] || !on_streams(plans_[i]) || !goes_along(plans_[i].rule, d)) continue;
    all.push_back(i);
    if (const auto named = few_client_ports(plans_[i].rule, d); !named.empty()) {
      any_named = true;
      for (const auto* group : named) {
        for (const auto& range : group->in) {
          for (unsigned port = range.first; port <= range.last; ++port) ports.client_ports.set(port);
        }
      }
      continue;
    }
    (any_port(plans_[i].rule, d) ? everywhere : somewhere).push_back(i);
  }
  // Ports between two boundaries have the same rules.
  std::map<std::vector<std::uint32_t>, std::uint32_t> known;  // rules for some ports -> group
  for (;;) {
    std::set<std::uint32_t> boundaries{0};
    for (const std::uint32_t i : somewhere) {
      for (const auto* group : server_ports(plans_[i].rule, d)) {
        for (const auto* ranges : {&group->in, &group->out}) {
          for (const auto& range : *ranges) {
            boundaries.insert(range.first);
            if (range.last < 65'535) boundaries.insert(range.last + 1U);
          }
        }
      }
    }
    known.clear();
    ports.from.clear();
    for (const std::uint32_t boundary : boundaries) {
      std::vector<std::uint32_t> here;
      for (const std::uint32_t i : somewhere) {
        if (wants_port(plans_[i].rule, d, static_cast<std::uint16_t>(boundary))) here.push_back(i);
      }
      const auto number = static_cast<std::uint32_t>(known.size());
      ports.from.emplace_back(static_cast<std::uint16_t>(boundary), known.try_emplace(std::move(here), number).first->second);
      if (known.size() > kPortGroups) break;
    }
    if (known.size() <= kPortGroups) break;
    // Too many: half of the rules for the fewest ports are looked for everywhere; their ports are checked on what is found.
    std::ranges::stable_sort(somewhere, {}, [&](std::uint32_t i) {
      std::size_t count = 0;
      for (const auto* group : server_ports(plans_[i].rule, d))
        for (const auto& range : group->in) count += range.last - range.first + 1U;
      return count;
    });
    const auto half = static_cast<std::ptrdiff_t>((somewhere.size() + 1) / 2);
    everywhere.insert(everywhere.end(), somewhere.begin(), somewhere.begin() + half);
    somewhere.erase(somewhere.begin(), somewhere.begin() + half);
  }

  ports.groups.resize(known.size());
  for (const auto& [here, number] : known) {
    std::vector<std::uint32_t> members(everywhere);
    members.insert(members.end(), here.begin(), here.end());
    if (!fill(ports.groups[number], members, cache, refused)) return false;
  }
  return !any_named || fill(ports.named, all, cache, refused);
}

bool RuleSet::fill(PortGroup& group, std::span<const std::uint32_t> members, DatabaseCache* cache, std::vector<Refused>& refused) {
  std::map<Pattern, std::vector<Meaning>> patterns;
  std::vector<std::uint32_t> in_order(members.begin(), members.end());
  std::ranges::sort(in_order);
  for (const std::uint32_t i : in_order) {
    const Plan& plan = plans_[i];
    bool from_start = false;
    if (plan.segments.empty() && !plan.has_parts()) (plan.absences.empty() ? group.bare : group.absences_only).push_back(i);
    for (std::uint32_t s = 0; s < plan.segments.size(); ++s) {
      if (plan.segments[s].trigger == Segment::Trigger::kStart) {
        from_start = true;
      } else {
        patterns[plan.segments[s].pattern].push_back({Meaning::Kind::kSegment, i, s});
      }
    }
    for (std::uint32_t a = 0; a < plan.absences.size(); ++a) patterns[plan.absences[a].pattern].push_back({Meaning::Kind::kAbsence, i, a});
    if (from_start) group.from_start.push_back(i);
    group.history_bytes = std::max(group.history_bytes, plan.history_bytes());
  }
  std::ranges::sort(group.decisions);
  group.decisions.erase(std::ranges::unique(group.decisions).begin(), group.decisions.end());
  std::vector<const Pattern*> list;
  for (const auto& [pattern, meanings] : patterns) {
    list.push_back(&pattern);
    group.meanings.push_back(meanings);
  }
  auto database = Database::compile(list, Database::Mode::kStream, cache);
  if (!database) {
    for (const Meaning& m : group.meanings[database.error().pattern]) refuse(m.plan, "pcre: " + database.error().why, refused);
    return false;
  }
  group.database = std::move(*database);
  return true;
}

bool RuleSet::make_stage(Stage s, DatabaseCache* cache, std::vector<Refused>& refused) {
  StageGroup& stage = stages_[static_cast<std::size_t>(s)];
  stage = {};
  std::map<rules::Subject, std::map<Pattern, std::vector<std::uint32_t>>> wanted;
  for (std::uint32_t i = 0; i < plans_.size(); ++i) {
    const Plan& plan = plans_[i];
    if (left_out_[i] || !plan.has_parts() || plan.parts.stage != s) continue;
    if (plan.parts.fast) {
      wanted[plan.parts.fast->first][plan.parts.fast->second].push_back(i);
    } else {
      stage.always.push_back(i);
    }
  }
  for (auto& [subject, patterns] : wanted) {
    StageGroup::Fast fast;
    fast.subject = subject;
    auto transformer = Transformer::make(subject.transforms, regex_match_limit_);
    if (transformer) fast.transformer = std::move(*transformer);  // each of the plans has made the same
    std::vector<const Pattern*> list;
    for (const auto& [pattern, plans] : patterns) {
      list.push_back(&pattern);
      fast.plans.push_back(plans);
    }
    auto database = Database::compile(list, Database::Mode::kBlock, cache);
    if (!database) {
      for (const std::uint32_t i : fast.plans[database.error().pattern]) refuse(i, "content: " + database.error().why, refused);
      return false;
    }
    fast.database = std::move(*database);
    stage.fast.push_back(std::move(fast));
  }
  return true;
}

const PortGroup& RuleSet::group(Direction d, std::uint16_t client_port, std::uint16_t server_port) const {
  const Ports& ports = ports_[index(d)];
  if (ports.client_ports.test(client_port)) return ports.named;
  const auto behind = std::ranges::upper_bound(ports.from, server_port, {}, [](const auto& entry) { return entry.first; });
  return ports.groups[std::prev(behind)->second];
}

}  // namespace weir::inspect::match
